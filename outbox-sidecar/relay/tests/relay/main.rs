//! The sidecar's own binary against real PostgreSQL and real Kafka.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod adoption;
mod broadcast;
mod claim;
mod command_line;
mod crashes;
mod cursors;
mod dead_letters;
mod formats;
mod harness;
mod horizon;
mod idle;
mod inbox;
mod inbox_faults;
mod inbox_refusals;
mod lease;
mod memory;
mod outbox;
mod outbox_faults;
mod outbox_refusals;
mod parked;
mod partitions;
mod pooler;
mod presets;
mod raw_produce;
mod reload;
mod replay;
mod restored;
mod retention;
mod security;
mod share;
mod shutdown;
mod transactional;
mod wake;
