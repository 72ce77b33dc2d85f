//! The custom resource `Relay`.

mod condition;
mod crd;
mod relay;
mod rules;
mod schema;

pub use condition::{Condition, ConditionType, Reason, State, Verdict, merge};
pub use crd::custom_resource_definition;
pub use relay::{InvalidSpec, PodCounts, Relay, RelaySpec, RelayStatus};
