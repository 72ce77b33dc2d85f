//! What is checked.

pub mod links;
pub mod policy;
pub mod relay;
pub mod schema;

mod references;
mod restricted;
