//! The kinds of fault, and one of a kind.

use std::{fmt, time::Duration};

use fastrand::Rng;

use super::{Shape, between};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `kill -9` of a relay, which is started again after a while.
    RelayKilled,
    /// SIGSTOP of a relay for longer than its lease: it wakes up with a stale memory.
    RelayPaused,
    /// A relay stops in good order, hands back what it holds, and comes back later.
    RelayStopped,
    /// One more relay for a while: scaled up, and down again.
    RelayAdded,
    /// `kill -9` of the broker.
    BrokerKilled,
    /// The broker stops in good order and comes back.
    BrokerRestarted,
    /// SIGKILL of the database server: recovery from the log.
    DatabaseKilled,
    /// A fast shutdown of the database server.
    DatabaseRestarted,
    /// Every connection of one process to the database is closed; new ones pass.
    DatabaseCut,
    /// The same, and new ones are refused for a while.
    DatabaseRefused,
    /// Packets between one process and the database are swallowed for longer than the lease.
    DatabaseStalled,
    /// Every connection to the broker is closed; new ones pass.
    KafkaCut,
    /// The same, and new ones are refused for a while.
    KafkaRefused,
    /// Packets to and from the broker are swallowed for a while.
    KafkaStalled,
    /// A transaction takes its id early, is held open, and then writes and commits late.
    TransactionHeld,
    /// Rows that can never be published, or never be applied.
    PoisonWritten,
    /// The application takes its time for each event.
    ApplicationSlowed,
    /// SIGSTOP of the application for longer than a request may take.
    ApplicationPaused,
    /// The application dies and comes back later.
    ApplicationCrashed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::RelayKilled,
        Self::RelayPaused,
        Self::RelayStopped,
        Self::RelayAdded,
        Self::BrokerKilled,
        Self::BrokerRestarted,
        Self::DatabaseKilled,
        Self::DatabaseRestarted,
        Self::DatabaseCut,
        Self::DatabaseRefused,
        Self::DatabaseStalled,
        Self::KafkaCut,
        Self::KafkaRefused,
        Self::KafkaStalled,
        Self::TransactionHeld,
        Self::PoisonWritten,
        Self::ApplicationSlowed,
        Self::ApplicationPaused,
        Self::ApplicationCrashed,
    ];

    /// For a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::RelayKilled => "relay killed",
            Self::RelayPaused => "relay paused beyond its lease",
            Self::RelayStopped => "relay stopped, started later",
            Self::RelayAdded => "relay added, removed later",
            Self::BrokerKilled => "broker killed",
            Self::BrokerRestarted => "broker restarted",
            Self::DatabaseKilled => "database killed",
            Self::DatabaseRestarted => "database restarted",
            Self::DatabaseCut => "database connections cut",
            Self::DatabaseRefused => "database unreachable",
            Self::DatabaseStalled => "database connections stalled",
            Self::KafkaCut => "broker connections cut",
            Self::KafkaRefused => "broker unreachable",
            Self::KafkaStalled => "broker connections stalled",
            Self::TransactionHeld => "transaction held open",
            Self::PoisonWritten => "poison written",
            Self::ApplicationSlowed => "application slow",
            Self::ApplicationPaused => "application hanging",
            Self::ApplicationCrashed => "application crashed",
        }
    }
}

/// Whose way to the database a fault is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// The relay of this number, from 0.
    Relay(usize),
    /// The application.
    Application,
}

/// When an application dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// At any moment.
    Anywhere,
    /// With an event applied, and not committed.
    BeforeCommit,
    /// With an event committed, and not answered for.
    AfterCommit,
}

/// One fault, with everything that is to be known to make it happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: Kind,
    /// To which relay, if to one.
    pub relay: usize,
    /// Whose way to the database, if that is hit.
    pub link: Link,
    /// How long it lasts, apart from the time that starting something again takes.
    pub lasts: Duration,
    /// What each event costs a slow application.
    pub delay: Duration,
    /// When an application dies that does.
    pub crash: Crash,
    /// Poison rows of each sort.
    pub rows: usize,
    /// What the fault itself draws from.
    pub seed: u64,
}

impl Fault {
    pub(super) fn draw(kind: Kind, rng: &mut Rng, shape: &Shape) -> Self {
        // Everything is drawn for each, so that the next one does not depend on the kind.
        let relay = rng.usize(0..shape.relays.max(1));
        let link = match rng.usize(0..=shape.relays) {
            relay if relay < shape.relays => Link::Relay(relay),
            _ => Link::Application,
        };
        let (from, to) = span(kind, shape.lease);
        let lasts = between(rng, from, to);
        let delay = between(rng, Duration::from_millis(20), Duration::from_millis(400));
        let crash = match rng.u8(0..3) {
            0 => Crash::Anywhere,
            1 => Crash::BeforeCommit,
            _ => Crash::AfterCommit,
        };
        Self { kind, relay, link, lasts, delay, crash, rows: rng.usize(1..=2), seed: rng.u64(..) }
    }
}

/// From the shortest to the longest time that a fault of a kind lasts.
fn span(kind: Kind, lease: Duration) -> (Duration, Duration) {
    let seconds = Duration::from_secs;
    match kind {
        Kind::RelayKilled | Kind::ApplicationCrashed => (seconds(0), seconds(3)),
        // Up to beyond the session time-out of the consumer group, too.
        Kind::RelayPaused | Kind::DatabaseStalled => (lease * 5 / 4, lease * 5),
        Kind::RelayStopped => (seconds(0), seconds(6)),
        Kind::RelayAdded => (seconds(3), seconds(10)),
        Kind::BrokerKilled | Kind::BrokerRestarted => (seconds(0), seconds(4)),
        Kind::DatabaseKilled | Kind::DatabaseRestarted => (seconds(0), seconds(3)),
        Kind::DatabaseRefused | Kind::KafkaRefused => (seconds(1), seconds(6)),
        Kind::KafkaStalled => (seconds(1), seconds(8)),
        Kind::TransactionHeld => (seconds(2), seconds(10)),
        Kind::ApplicationSlowed => (seconds(2), seconds(8)),
        Kind::ApplicationPaused => (seconds(4), seconds(9)),
        Kind::DatabaseCut | Kind::KafkaCut | Kind::PoisonWritten => (seconds(0), seconds(0)),
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relay(number) => write!(f, "relay {}", number + 1),
            Self::Application => f.write_str("the application"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match self.kind {
            Kind::RelayKilled | Kind::RelayPaused | Kind::RelayStopped => {
                write!(f, ": {}", Link::Relay(self.relay))?;
            }
            Kind::DatabaseCut | Kind::DatabaseRefused | Kind::DatabaseStalled => {
                write!(f, ": those of {}", self.link)?;
            }
            Kind::ApplicationSlowed => write!(f, ": {} ms an event", self.delay.as_millis())?,
            Kind::ApplicationCrashed => f.write_str(match self.crash {
                Crash::Anywhere => ": anywhere",
                Crash::BeforeCommit => ": before a commit",
                Crash::AfterCommit => ": after a commit",
            })?,
            Kind::PoisonWritten => write!(f, ": {} rows of each sort", self.rows)?,
            _ => {}
        }
        if self.lasts.is_zero() { Ok(()) } else { write!(f, ", {:.1} s", self.lasts.as_secs_f64()) }
    }
}
