#![allow(clippy::print_stdout, reason = "progress of a command line")]
//! Workloads for the relay, their ceilings, and what they are worth.

pub mod claim;
pub mod drain;
pub mod idle;
pub mod ingest;
pub mod latency;
pub mod live;
pub mod memory;
pub mod orders;
pub mod pipe;
pub mod proc;
pub mod producer;
pub mod progress;
pub mod relay;
pub mod report;
pub mod rows;
pub mod stack;
pub mod steady;
pub mod topic;
