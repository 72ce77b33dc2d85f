use serde_json::{Value, json};

use super::*;
use crate::api::{RelaySpec, State};

fn config() -> Config {
    let spec = json!({
        "database": { "url": { "secret": { "name": "db", "key": "url" } } },
        "kafka": { "bootstrapServers": ["kafka:9092"] },
        "outboxes": [{ "name": "o", "table": "outbox", "topic": "t" }],
        "inboxes": [{
            "name": "i", "table": "inbox", "topics": ["u"], "consumerGroup": "g",
            "deliver": { "url": "http://127.0.0.1:1/inbox" },
        }],
    });
    RelaySpec(spec).mounted().unwrap().config
}

fn answer(pod: &str, report: Value) -> Observed {
    let report = serde_json::from_value(report).unwrap();
    Observed { pod: pod.into(), state: Observation::Report(Box::new(report)) }
}

fn sidecar(pod: &str, buckets: usize, partitions: usize) -> Observed {
    answer(
        pod,
        json!({
            "config": config().fingerprint(),
            "outboxes": { "o": { "leasedBuckets": buckets, "waitingFor": (buckets == 0).then_some("bucket leases") } },
            "inboxes": { "i": { "ownedPartitions": partitions } },
        }),
    )
}

fn nobody() -> Verdict {
    Verdict::no(Reason::NoPods, "")
}

fn judged(observed: &[Observed]) -> Flow {
    flow(&config(), observed, &nobody())
}

#[test]
fn it_flows_when_every_bucket_has_a_relay_and_someone_has_partitions() {
    for pods in [
        vec![sidecar("a", 8, 6)],
        vec![sidecar("a", 8, 6), sidecar("b", 0, 0)],
        vec![sidecar("a", 5, 3), sidecar("b", 3, 3)],
        // One that has just died does not matter while others do its work.
        vec![
            sidecar("a", 8, 6),
            Observed { pod: "b".into(), state: Observation::Unreachable("x".into()) },
        ],
    ] {
        let flow = judged(&pods);
        assert_eq!((flow.outbox.reason, flow.inbox.reason), (Reason::Flowing, Reason::Flowing));
        assert_eq!(flow.configuration, None);
    }
}

#[test]
fn buckets_that_nobody_publishes_are_told() {
    let flow = judged(&[sidecar("a", 5, 6)]);
    assert_eq!(flow.outbox.state, State::False);
    assert_eq!(flow.outbox.reason, Reason::BucketsNotLeased);
    assert!(flow.outbox.message.contains("5 of 8 buckets"), "{}", flow.outbox.message);
    assert!(flow.outbox.message.contains("(5s)"), "{}", flow.outbox.message);
}

#[test]
fn what_a_sidecar_waits_for_is_told_with_its_pod() {
    let flow = judged(&[answer(
        "shop-1",
        json!({
            "outboxes": { "o": { "leasedBuckets": 8, "waitingFor": "a Kafka broker to acknowledge rows" } },
            "inboxes": { "i": { "ownedPartitions": 6, "waitingFor": "the application to take messages" } },
        }),
    )]);
    assert_eq!(flow.outbox.reason, Reason::Waiting);
    assert_eq!(
        flow.outbox.message,
        "outbox o: waiting for a Kafka broker to acknowledge rows (pod shop-1)"
    );
    assert_eq!(
        flow.inbox.message,
        "inbox i: waiting for the application to take messages (pod shop-1)"
    );
    let flow = judged(&[answer("shop-1", json!({ "waitingFor": "the database" }))]);
    assert_eq!(flow.outbox.message, "outbox o: waiting for the database (pod shop-1)");
    assert_eq!(flow.inbox.message, "inbox i: waiting for the database (pod shop-1)");
}

#[test]
fn relays_that_all_stand_by_wait_for_one_that_is_not_here() {
    let flow = judged(&[sidecar("a", 0, 3), sidecar("b", 0, 3)]);
    assert_eq!(flow.outbox.message, "outbox o: waiting for bucket leases (pod a)");
}

#[test]
fn an_inbox_without_partitions_does_not_flow() {
    let flow = judged(&[sidecar("a", 8, 0)]);
    assert_eq!(flow.inbox.reason, Reason::PartitionsNotAssigned);
    assert!(flow.inbox.message.contains("consumer group g"), "{}", flow.inbox.message);
}

#[test]
fn a_part_that_is_not_configured_holds_nothing_up() {
    let mut config = config();
    config.inboxes.clear();
    for observed in [vec![], vec![sidecar("a", 8, 0)]] {
        let flow = flow(&config, &observed, &nobody());
        assert_eq!((flow.inbox.state, flow.inbox.reason), (State::True, Reason::NotConfigured));
    }
}

#[test]
fn silence_is_told_apart() {
    let one = |state| judged(&[Observed { pod: "a".into(), state }]).outbox;
    assert_eq!(judged(&[]).outbox.reason, Reason::NoPods);
    let starting = one(Observation::Starting);
    assert_eq!((starting.state, starting.reason), (State::Unknown, Reason::Starting));
    let away = one(Observation::Unreachable("no answer within 2 s".into()));
    assert_eq!((away.state, away.reason), (State::Unknown, Reason::Unreachable));
    assert!(
        away.message.contains("pod a: no answer within 2 s")
            && away.message.contains("NetworkPolicy")
    );
    let stuck =
        one(Observation::Stuck("CreateContainerConfigError: secret \"db\" not found".into()));
    assert_eq!((stuck.state, stuck.reason), (State::False, Reason::SidecarNotStarting));
    assert!(stuck.message.contains("secret \"db\" not found"));
}

#[test]
fn a_sidecar_with_another_configuration_is_told() {
    let old = |problem: Option<&str>| {
        let mut observed = sidecar("a", 8, 6);
        if let Observation::Report(report) = &mut observed.state {
            report.config = "0123456789abcdef".into();
            report.reload_problem = problem.map(str::to_owned);
        }
        judged(&[observed, sidecar("b", 0, 0)])
    };
    let reloading = old(None);
    assert_eq!(reloading.outbox.reason, Reason::Flowing);
    assert_eq!(reloading.configuration.unwrap().reason, Reason::Reloading);
    let refused = old(Some("kafka.tls.ca: no such file")).configuration.unwrap();
    assert_eq!(refused.reason, Reason::ConfigRefused);
    assert_eq!(
        refused.message,
        "pod a goes on with the configuration before: kafka.tls.ca: no such file"
    );
}

#[test]
fn a_feed_flows_when_every_sidecar_reads_it() {
    let spec = json!({
        "kafka": { "bootstrapServers": ["kafka:9092"] },
        "inboxes": [{
            "name": "i", "table": "none", "topics": ["u"],
            "deliver": { "url": "http://127.0.0.1:1/inbox" },
        }],
    });
    let config = RelaySpec(spec).mounted().unwrap().config;
    let judged = |observed: &[Observed]| flow(&config, observed, &nobody()).inbox;
    assert_eq!(judged(&[sidecar("a", 0, 6), sidecar("b", 0, 6)]).reason, Reason::Flowing);
    let lagging = judged(&[sidecar("a", 0, 6), sidecar("b", 0, 0)]);
    assert_eq!(lagging.reason, Reason::PartitionsNotAssigned);
    assert_eq!(lagging.message, "inbox i: reads no partition of its topics yet (pod b)");
}
