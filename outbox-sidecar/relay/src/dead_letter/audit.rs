//! Who did what, in `outbox_sidecar.audit`.

use deadpool_postgres::Transaction;
use outbox_sidecar_core::dead_letter::DeadLetter;
use serde_json::{Value, json};
use tokio_postgres::types::Type;

use crate::error::Error;

/// Notes an action on each of the letters, in the transaction that does it.
pub(super) async fn note(
    transaction: &Transaction<'_>,
    actor: &str,
    action: &str,
    letters: &[DeadLetter],
) -> Result<(), Error> {
    if letters.is_empty() {
        return Ok(());
    }
    let action = format!("dead-letter.{action}");
    let subjects: Vec<String> = letters.iter().map(|letter| letter.address().to_string()).collect();
    let details: Vec<Value> = letters
        .iter()
        .map(|letter| {
            json!({
                "messageId": letter.message_id, "key": letter.key, "origin": letter.origin,
                "attempts": letter.attempts, "reason": letter.reason, "deadAt": letter.dead_at,
            })
        })
        .collect();
    transaction
        .execute_typed(
            "INSERT INTO outbox_sidecar.audit (actor, action, subject, detail)
             SELECT $1, $2, t.subject, t.detail FROM unnest($3::text[], $4::jsonb[]) AS t(subject, detail)",
            &[
                (&actor.replace('\0', ""), Type::TEXT),
                (&action, Type::TEXT),
                (&subjects, Type::TEXT_ARRAY),
                (&details, Type::JSONB_ARRAY),
            ],
        )
        .await
        .map_err(Error::database("note who settled dead letters"))?;
    Ok(())
}
