//! Changing into how many buckets an outbox is divided.

/// The statements that make the cursors of an outbox, given as an SQL text, fit
/// another number of buckets, while no relay of it runs.
///
/// All buckets go back to the one that is furthest behind: rows that others had
/// published beyond it are published again, and none is passed over.
pub fn change_of_buckets(outbox: &str, from: i64, to: u16) -> String {
    let behind = format!(
        "UPDATE outbox_sidecar.cursor SET published = (SELECT published FROM outbox_sidecar.cursor WHERE outbox = {outbox} \
         ORDER BY pg_snapshot_xmax(published)::text::numeric, pg_snapshot_xmin(published)::text::numeric LIMIT 1), \
         window_until = NULL, window_after = NULL WHERE outbox = {outbox};"
    );
    let number = if from < i64::from(to) {
        format!(
            "INSERT INTO outbox_sidecar.cursor (outbox, bucket, published) SELECT outbox, added, published \
             FROM outbox_sidecar.cursor, generate_series({from}, {to} - 1) AS added WHERE outbox = {outbox} AND bucket = 0;"
        )
    } else {
        format!("DELETE FROM outbox_sidecar.cursor WHERE outbox = {outbox} AND bucket >= {to};")
    };
    format!("{behind}\n{number}")
}
