//! Whether the books balance, seen through the public API.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{burst::Placed, client::Client};

/// What an audit found.
#[derive(Debug, Default)]
pub struct Audit {
    /// Orders paid.
    pub finished: usize,
    /// Orders cancelled.
    pub cancelled: usize,
    /// What the users had deposited.
    pub deposits: Decimal,
    /// What they have left.
    pub balances: Decimal,
    /// What the finished orders cost.
    pub payments: Decimal,
    /// Everything that is not as it must be.
    pub violations: Vec<String>,
}

/// Compares what was placed with what the shop has made of it.
///
/// # Errors
/// The shop stays away.
pub async fn audit(client: &Client, placed: &Placed) -> anyhow::Result<Audit> {
    let mut audit = Audit::default();
    let expected: HashSet<Uuid> = placed.orders.iter().copied().collect();
    if expected.len() != placed.orders.len() {
        audit.violations.push("the shop gave two orders the same id".to_owned());
    }
    let mut found = HashSet::new();
    let users = stream::iter(&placed.deposits)
        .map(|(user, deposited)| async move {
            let parts = futures::try_join!(
                client.orders(*user),
                client.ledger(*user),
                client.account(*user)
            )?;
            anyhow::Ok((*user, *deposited, parts))
        })
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await?;
    for (user, deposited, (orders, ledger, account)) in users {
        let mut violation = |text: String| audit.violations.push(format!("user {user}: {text}"));
        let mut paid: HashMap<Uuid, Decimal> = HashMap::new();
        let mut balance = Decimal::ZERO;
        for entry in ledger.iter().rev() {
            balance += entry.amount;
            if balance != entry.balance_after {
                violation(format!(
                    "the ledger says {} where its lines come to {balance}",
                    entry.balance_after
                ));
            }
            if let Some(order) = entry.order_id
                && paid.insert(order, -entry.amount).is_some()
            {
                violation(format!("order {order} was paid twice"));
            }
        }
        if account.balance != balance {
            violation(format!("the balance is {}, the ledger comes to {balance}", account.balance));
        }
        let spent: Decimal = paid.values().sum();
        if account.balance + spent != deposited {
            violation(format!("{deposited} deposited, {spent} paid, {} left", account.balance));
        }
        for order in &orders {
            if !expected.contains(&order.id) {
                violation(format!("order {} was never answered for", order.id));
            }
            found.insert(order.id);
            let payment = paid.remove(&order.id);
            match order.status.as_str() {
                "FINISHED" if payment == Some(order.amount) => {
                    audit.finished += 1;
                    audit.payments += order.amount;
                }
                "CANCELLED" if payment.is_none() && order.reason.is_some() => audit.cancelled += 1,
                status => violation(format!(
                    "order {} of {} is {status} (reason {:?}), paid {payment:?}",
                    order.id, order.amount, order.reason
                )),
            }
        }
        for order in paid.keys() {
            violation(format!("order {order} was paid and does not exist"));
        }
        audit.deposits += deposited;
        audit.balances += account.balance;
    }
    for lost in expected.difference(&found) {
        audit.violations.push(format!("order {lost} was accepted and is lost"));
    }
    if audit.deposits != audit.balances + audit.payments {
        audit.violations.push(format!(
            "deposits {} are not balances {} + payments {}",
            audit.deposits, audit.balances, audit.payments
        ));
    }
    Ok(audit)
}
