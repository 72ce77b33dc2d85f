//! `docs/metrics.md` names every metric the programs serve, and no other.

use std::{collections::BTreeMap, fs};

use test_support::{wait, workspace_root};

use crate::shop::{PATIENCE, TASKS, TestShop};

const PROGRAMS: [&str; 6] =
    ["gateway", "orders", "payments", "gateway-sidecar", "orders-sidecar", "payments-sidecar"];

/// A metric family's type by its name.
type Families = BTreeMap<String, String>;

#[tokio::test]
async fn every_metric_is_documented_and_every_documented_metric_is_served() {
    let documented = documented();
    assert!(!documented.is_empty(), "docs/metrics.md has no table of metrics");

    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    let order = shop.order(1, "3").await;
    assert_eq!(shop.settled(order).await.0, "FINISHED");
    let nobody = format!("{}/orders", shop.shop.gateway_url());
    assert_eq!(reqwest::get(nobody).await.unwrap().status(), 401);
    // The gateway's live feed drops what the gateway cannot read.
    wait::until("the gateway's sidecar reads every partition", PATIENCE, || async {
        let status = shop.admin("gateway-sidecar", "/status").await.json();
        (status["inboxes"]["live"]["ownedPartitions"].as_u64() >= Some(18)).then_some(())
    })
    .await;
    shop.produce("order_events", "1", "order.finished", b"{}").await;
    shop.produce(TASKS, "x", "order.exploded", b"{}").await;
    // An error that a component recovers from: its table is away for a while.
    let orders = shop.database("orders").await;
    orders.batch_execute("ALTER TABLE outbox RENAME TO outbox_away").await.unwrap();
    wait::until("the missing table is noticed", PATIENCE, || async {
        (shop.metric("orders-sidecar", "outbox_sidecar_errors_total").await >= 1.0).then_some(())
    })
    .await;
    orders.batch_execute("ALTER TABLE outbox_away RENAME TO outbox").await.unwrap();

    // Families with labels show up with their first sample, some after seconds.
    let served = wait::until_ok(PATIENCE, || async {
        let served = served_by_all(&shop).await;
        let missing: Vec<_> =
            documented.keys().filter(|name| !served.contains_key(*name)).cloned().collect();
        if missing.is_empty() { Ok(served) } else { Err(missing.join(", ")) }
    })
    .await;
    let served = served.unwrap_or_else(|missing| panic!("documented and not served: {missing}"));
    assert_eq!(served, documented, "left: served, right: docs/metrics.md");
}

/// From the rows whose first cell is a name in backticks and whose second is a type.
fn documented() -> Families {
    let text = fs::read_to_string(workspace_root().join("docs/metrics.md")).unwrap();
    let mut families = Families::new();
    // The operator's are compared by its own tests; it needs a cluster.
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    for row in rows.filter(|row| !row.starts_with("outbox_operator_")) {
        let (name, rest) = row.split_once('`').unwrap();
        let kind = rest.split('|').nth(1).unwrap_or_default().trim();
        assert!(
            families.insert(name.to_owned(), kind.to_owned()).is_none(),
            "{name} is documented twice"
        );
    }
    families
}

async fn served_by_all(shop: &TestShop) -> Families {
    let mut families = Families::new();
    for program in PROGRAMS {
        let text = shop.admin(program, "/metrics").await.text;
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            families.insert(name.to_owned(), kind.to_owned());
        }
    }
    families
}
