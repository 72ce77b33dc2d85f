//! What a sidecar holds in memory while it publishes.

use std::collections::HashMap;

use rdkafka::Message as _;

use crate::harness::{Bench, Sidecar};

/// What a chunk of default size, the largest row in the statement's and in the Kafka
/// client's buffer, and the program itself may take. All the rows below are more than twice that.
const MOST: u64 = 96 * 1024 * 1024;

const LARGE: usize = 10_000_000;

#[tokio::test]
async fn large_payloads_among_small_ones_pass_in_order_and_in_little_memory() {
    let bench = Bench::new("large").await;
    bench.make_topic(1).await;
    crate::outbox_refusals::set_topic(&bench, "max.message.bytes", "12000000").await;
    // Every 40th of 1000 rows is 10 MB.
    let rows = format!(
        "INSERT INTO outbox (aggregate_id, payload)
         SELECT 'k' || n % 7, jsonb_build_object('number', n, 'filler',
                    repeat('x', CASE WHEN n % 40 = 39 THEN {LARGE} ELSE 200 END))
         FROM generate_series(0, 999) AS n ORDER BY n"
    );
    bench.client.execute(&rows, &[]).await.unwrap();
    let mut config = bench.outbox_config();
    config.kafka.properties.insert("message.max.bytes".into(), "12000000".into());
    let sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    listener.wait_for(1_000).await;
    let mut expected: HashMap<String, Vec<i64>> = HashMap::new();
    for number in 0..1_000 {
        expected.entry(format!("k{}", number % 7)).or_default().push(number);
    }
    assert_eq!(listener.first_by_key(), expected);
    let large = |message: &&rdkafka::message::OwnedMessage| {
        message.payload().is_some_and(|payload| payload.len() > LARGE)
    };
    assert_eq!(listener.received.iter().filter(large).count(), 25);
    let peak = peak_bytes(&sidecar);
    assert!(peak < MOST, "held {} MiB at its peak", peak / 1024 / 1024);
}

/// The most memory that the sidecar has had resident at a time.
fn peak_bytes(sidecar: &Sidecar) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sidecar.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
