//! One table is for one outbox: two of different names, in the configurations of two
//! sidecars, would each delete rows that the other has not published.

use deadpool_postgres::Client;
use outbox_sidecar_core::{config::Outbox, share::RelayId};
use tokio_postgres::types::Type;

use crate::error::Error;

/// `$1`: the outbox; `$2`: its table.
const OTHER: &str = "
    SELECT outbox FROM outbox_sidecar.relay
    WHERE published_table = to_regclass($2) AND outbox <> $1 AND expires_at > clock_timestamp()
    ORDER BY outbox LIMIT 1";

/// `$1`: the outbox; `$2`: its table; `$3`: the relay.
const MARK: &str = "
    UPDATE outbox_sidecar.relay SET published_table = to_regclass($2)
    WHERE outbox = $1 AND relay = $3 AND published_table IS DISTINCT FROM to_regclass($2)";

/// Verifies that no relay that lives publishes the table as another outbox.
///
/// # Errors
/// One does; or the database is away.
pub(super) async fn check(client: &Client, outbox: &Outbox) -> Result<(), Error> {
    let (name, table) = (&outbox.name, outbox.table.quoted());
    let rows = client
        .query_typed(OTHER, &[(name, Type::TEXT), (&table, Type::TEXT)])
        .await
        .map_err(Error::database("look for other outboxes of the table"))?;
    match rows.first() {
        None => Ok(()),
        Some(row) => Err(Error::Table(format!(
            "the table {} is published as outbox `{}` too, by a relay that runs; each would delete rows that the \
             other has not published. Give the outbox one name in all configurations, or stop the other sidecars",
            outbox.table,
            row.get::<_, &str>(0),
        ))),
    }
}

/// Lets the relays of other outboxes know, once this one stands among the live ones.
///
/// # Errors
/// The database is away.
pub(super) async fn mark(client: &Client, outbox: &Outbox, relay: RelayId) -> Result<(), Error> {
    let (name, table) = (&outbox.name, outbox.table.quoted());
    client
        .execute_typed(MARK, &[(name, Type::TEXT), (&table, Type::TEXT), (&relay, Type::UUID)])
        .await
        .map_err(Error::database("note the table of a relay"))?;
    Ok(())
}
