//! What a run has given, as text.

use std::{fmt, sync::atomic::Ordering};

use outbox_sidecar_core::config::Delivery;

use crate::{
    audit::Sort,
    run::{Outcome, Settings},
    schedule::Length,
};

/// No more violations than this are written out.
const SHOWN_VIOLATIONS: usize = 50;

/// The tables of a run.
#[derive(Debug)]
pub struct Report<'a> {
    /// What was to be done.
    pub settings: &'a Settings,
    /// What came of it.
    pub outcome: &'a Outcome,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { faults, tally, disturbed, settling, audit } = self.outcome;
        let mut line = |name: &str, value: usize| writeln!(f, "  {name:<32} {value:>9}");
        for (kind, count) in faults {
            line(kind.name(), *count)?;
        }
        line("faults in all", faults.values().sum())?;
        line("kinds of fault", faults.len())?;
        writeln!(f)?;
        let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::Relaxed);
        let mut line = |name: &str, value: usize| writeln!(f, "  {name:<32} {value:>9}");
        line("transactions committed", count(&tally.committed))?;
        line("  rolled back", count(&tally.rolled_back))?;
        line("  broken off by a fault", count(&tally.broken))?;
        line("rows committed", audit.committed)?;
        line("  that cannot be published", audit.unpublishable)?;
        line("  that are refused", audit.rejected)?;
        line("records published", audit.records)?;
        line("  repeating an earlier one", audit.repeated)?;
        line("rows applied", audit.applied)?;
        writeln!(f)?;
        for sort in Sort::ALL {
            let count = audit.violations.iter().filter(|found| found.sort() == sort).count();
            writeln!(f, "  {:<32} {count:>9}", sort.name())?;
        }
        writeln!(f, "  {:<32} {:>9}", "violations in all", audit.violations.len())?;
        for violation in audit.violations.iter().take(SHOWN_VIOLATIONS) {
            writeln!(f, "    {violation}")?;
        }
        if audit.violations.len() > SHOWN_VIOLATIONS {
            writeln!(f, "    and {} more", audit.violations.len() - SHOWN_VIOLATIONS)?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "faults for {:.0} s, settled in {:.1} s; the same faults again: make faults ARGS=\"{}\"",
            disturbed.as_secs_f64(),
            settling.as_secs_f64(),
            self.settings
        )
    }
}

/// The flags that ask for the same run.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--seed {} ", self.seed)?;
        match self.length {
            Length::Faults(count) => write!(f, "--faults {count}")?,
            Length::Time(time) => write!(f, "--minutes {}", time.as_secs_f64() / 60.0)?,
        }
        write!(
            f,
            " --relays {} --writers {} --keys {} --rate {} --gap {} --lease {} --delivery {}",
            self.relays,
            self.writers,
            self.keys,
            self.rate,
            self.gap.as_secs_f64(),
            self.lease.as_secs_f64(),
            match self.delivery {
                Delivery::Idempotent => "idempotent",
                Delivery::Transactional => "transactional",
            }
        )
    }
}
