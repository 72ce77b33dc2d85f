//! From a commit to whoever listens, over every hop.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use shop_tests::live;
use test_support::{demo_token, wait};

use crate::shop::{PATIENCE, TestShop};

/// A user's connection to a shop of a test.
struct Listener(live::Listener);

impl Listener {
    async fn of_user(shop: &TestShop, user: i64) -> Self {
        let gateway = shop.shop.gateway_url();
        let token = demo_token::of_user(&reqwest::Client::new(), &gateway, user).await.unwrap();
        Self(live::Listener::connect(&gateway, &token).await.unwrap())
    }

    async fn told(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, self.0.told()).await.unwrap().unwrap()
    }

    /// Events of an order until it is final: each status, and whether the account was told of.
    async fn order(&mut self, id: &str) -> (Vec<String>, bool) {
        let (mut statuses, mut account) = (Vec::new(), false);
        while statuses.last().is_none_or(|status| status == "NEW") || !account {
            let event = self.told().await;
            account |= event["type"] == "account";
            if event["type"] == "order" {
                assert_eq!(event["order_id"], id, "{event}");
                statuses.push(event["status"].as_str().unwrap().to_owned());
            }
        }
        (statuses, account)
    }
}

#[tokio::test]
async fn a_user_is_told_of_their_order_as_it_is_paid_and_nobody_else_is() {
    let shop = TestShop::start().await;
    // The feed begins where it finds each partition, and skips what was before.
    wait::until("the gateway's sidecar reads every partition", PATIENCE, || async {
        let status = shop.admin("gateway-sidecar", "/status").await.json();
        (status["inboxes"]["live"]["ownedPartitions"].as_u64() >= Some(18)).then_some(())
    })
    .await;
    let (mut seven, mut eight) =
        (Listener::of_user(&shop, 7).await, Listener::of_user(&shop, 8).await);
    shop.open_account(7, "100").await;
    assert_eq!(seven.told().await["type"], "account");

    let order = shop.order(7, "30.25").await.to_string();
    let (statuses, account) = seven.order(&order).await;
    assert_eq!((statuses, account), (vec!["NEW".to_owned(), "FINISHED".to_owned()], true));

    // The first thing that the other one hears is their own.
    shop.open_account(8, "1").await;
    let event = eight.told().await;
    assert_eq!((event["type"].as_str(), event["user_id"].as_i64()), (Some("account"), Some(8)));

    // Once it is told, it is so.
    let order = shop.order(8, "5").await;
    let cancelled = async {
        loop {
            let event = eight.told().await;
            if event["status"] == "CANCELLED" {
                return event;
            }
        }
    };
    let event = tokio::time::timeout(Duration::from_secs(60), cancelled).await.unwrap();
    assert_eq!(event["reason"], "insufficient_funds");
    assert_eq!(event["amount"], "5");
    let answer = shop.send(Method::GET, &format!("/orders/{order}"), "").await.json();
    assert_eq!(answer["status"], "CANCELLED");
}
