//! The whole shop seen from outside, through its public API alone.
//!
//! - [`client`]: a client as a careful one would be written.
//! - [`burst`]: many orders at once, with every deposit written down.
//! - [`audit`]: whether the books balance to the last decimal.
//! - [`live`]: what a browser is told.
//! - [`kill`]: `kill -9` of any one process in the middle of a burst.

pub mod audit;
pub mod burst;
pub mod client;
pub mod kill;
pub mod live;
