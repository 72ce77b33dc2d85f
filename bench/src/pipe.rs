//! The ceiling: the same rows by binary `COPY` straight into a Kafka client, with no order between
//! replicas, no cursor and no second look at anything.

use std::{pin::pin, time::Instant};

use anyhow::Context as _;
use futures::TryStreamExt as _;
use postgres_types::Type;
use test_support::kafka::Server;
use tokio_postgres::{Client, binary_copy::BinaryCopyOutStream};

use crate::producer::{Message, Producer};

const COPY: &str = "COPY (SELECT aggregate_id, id::text, type, payload::text FROM outbox
                          ORDER BY bucket, position) TO STDOUT (FORMAT binary)";

/// Rows a second, from the statement to the last acknowledgement.
///
/// # Errors
/// The database or the broker fails.
pub async fn drain(client: &Client, kafka: &Server, topic: &str) -> anyhow::Result<f64> {
    let mut producer = Producer::new(kafka)?;
    let started = Instant::now();
    let copy = client.copy_out(COPY).await.context("starting COPY")?;
    let types = [Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT];
    let mut rows = pin!(BinaryCopyOutStream::new(copy, &types));
    while let Some(row) = rows.try_next().await.context("reading COPY")? {
        let (key, id, kind, payload) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        producer.send(topic, Message { key, id, kind, payload }).await?;
    }
    let sent = producer.finish().await?;
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^52")]
    Ok(sent as f64 / started.elapsed().as_secs_f64())
}
