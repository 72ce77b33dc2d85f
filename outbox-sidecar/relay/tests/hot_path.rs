//! How often memory is allocated for a row on its way from the database to the producer: a
//! number that is the same on every machine, busy or not. It is counted on the only thread of
//! the runtime, with the database client's part of the work.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use outbox_sidecar::{
    database,
    outbox::{lease::Lane, source::Source},
};
use outbox_sidecar_core::{
    config::{self, Config, SecretRef},
    ddl,
    record::Mapping,
    window::Cursor,
};
use serde_json::json;
use test_support::{fixtures, postgres::TestDatabase};

const ROWS: u32 = 10_000;

/// The places of a row's columns in the client's buffer, and its list of headers; and a part of
/// that buffer. Less than one more.
const ALLOCATIONS_PER_ROW: f64 = 2.5;

#[test]
fn a_row_of_append_takes_few_allocations() {
    expect_few_allocations("append");
}

#[test]
fn a_row_of_claim_takes_few_allocations() {
    expect_few_allocations("claim");
}

fn expect_few_allocations(engine: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let backlog = runtime.block_on(Backlog::new(engine));
    // Buffers grow to what they need.
    runtime.block_on(backlog.read());
    let mut bytes = 0;
    let counted = allocation_counter::measure(|| bytes = runtime.block_on(backlog.read()));
    assert!(bytes > u64::from(ROWS) * 200, "only {bytes} bytes of payload were read");
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_row = counted.count_total as f64 / f64::from(ROWS);
    assert!(per_row <= ALLOCATIONS_PER_ROW, "{per_row} allocations per row");
}

/// An outbox full of rows.
struct Backlog {
    config: Config,
    source: Source,
    pool: deadpool_postgres::Pool,
    lane: Lane,
    _database: TestDatabase,
}

impl Backlog {
    async fn new(engine: &str) -> Self {
        let database = fixtures::postgres().await.database("hot-path").await.unwrap();
        let client = database.connect().await.unwrap();
        let config = json!({
            "database": { "url": { "env": "DATABASE_URL" } },
            "kafka": { "bootstrapServers": ["localhost:9092"] },
            "outboxes": [{ "name": "things", "table": "outbox", "topic": "things", "engine": engine }],
        });
        let config = Config::parse(&config.to_string()).unwrap();
        let outbox = &config.outboxes[0];
        client.batch_execute(&ddl::outbox(outbox, false)).await.unwrap();
        let fill = "INSERT INTO outbox (aggregate_id, type, payload)
                    SELECT 'key-' || n, 'thing.happened', jsonb_build_object('filler', repeat('x', 200))
                    FROM generate_series(1, $1::int8) AS n";
        client.execute(fill, &[&i64::from(ROWS)]).await.unwrap();
        let url = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&url, database.url()).unwrap();
        let url_file = SecretRef::File(url.path().to_owned());
        let pool = database::pool(&config::Database { url: url_file, ca: None, listen: false });
        let pool = pool.unwrap();
        database::prepare(&pool).await.unwrap();
        let table = database::table::check_outbox(&pool.get().await.unwrap(), outbox).await;
        let buckets: Vec<i32> = (0..i32::from(outbox.buckets)).collect();
        let lane = Lane { epochs: vec![1; buckets.len()], buckets, cursor: Cursor::start() };
        let source = Source::new(outbox, &table.unwrap(), None);
        Self { config, source, pool, lane, _database: database }
    }

    /// Makes records of all rows; returns the bytes of their payloads.
    async fn read(&self) -> u64 {
        let mapping = Mapping::new(&self.config.outboxes[0]);
        let client = self.pool.get().await.unwrap();
        let limit = usize::try_from(ROWS).unwrap();
        let mut chunk = self.source.read(&client, &self.lane, limit, &[]).await.unwrap();
        let (mut rows, mut bytes) = (0, 0);
        while let Some(row) = chunk.next().await.unwrap() {
            let content = row.content();
            let record = mapping.record(&content).unwrap();
            assert_eq!(record.headers.len(), 2);
            rows += 1;
            bytes += record.value.map_or(0, |value| value.len() as u64);
        }
        assert_eq!(rows, ROWS);
        bytes
    }
}
