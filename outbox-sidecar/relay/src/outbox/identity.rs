//! What tells an outbox from all others, in whichever database they are.

use deadpool_postgres::Pool;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::error::Error;

/// The outbox's id, which is drawn when it is first asked for.
///
/// It goes wherever the database goes: to a replica that takes over, and into a
/// cluster that is restored, so that the relays there replace those of before. It
/// also goes into a copy, which must then have another prefix for its producers.
///
/// # Errors
/// The database is away.
pub async fn identity(pool: &Pool, outbox: &str) -> Result<Uuid, Error> {
    let client = pool.get().await?;
    let failed = Error::database("read the identity of the outbox");
    let read = "SELECT id FROM outbox_sidecar.identity WHERE outbox = $1";
    if let Some(row) =
        client.query_typed_opt(read, &[(&outbox, Type::TEXT)]).await.map_err(&failed)?
    {
        return Ok(row.get(0));
    }
    let draw = "INSERT INTO outbox_sidecar.identity (outbox) VALUES ($1) ON CONFLICT DO NOTHING";
    client.execute_typed(draw, &[(&outbox, Type::TEXT)]).await.map_err(&failed)?;
    let row = client.query_typed_one(read, &[(&outbox, Type::TEXT)]).await.map_err(&failed)?;
    Ok(row.get(0))
}
