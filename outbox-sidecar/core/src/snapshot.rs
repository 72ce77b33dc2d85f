//! PostgreSQL snapshots as values.
//!
//! The text form is PostgreSQL's own, `xmin:xmax:in,progress`, as printed by
//! `pg_current_snapshot()` (<https://www.postgresql.org/docs/current/functions-info.html>).

use std::{fmt, str::FromStr};

/// A 64-bit transaction id (`xid8`): it never wraps round.
pub type Xid = u64;

/// The first id that PostgreSQL gives to an ordinary transaction.
const FIRST_NORMAL_XID: Xid = 3;

/// Which transactions had ended at some moment, as `pg_snapshot` says it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Snapshot {
    xmin: Xid,
    xmax: Xid,
    in_progress: Vec<Xid>,
}

/// A text that is not a `pg_snapshot`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a PostgreSQL snapshot (expected xmin:xmax:list)")]
pub struct InvalidSnapshot {
    text: String,
}

impl Snapshot {
    /// The snapshot in which no row is visible: where a new cursor starts.
    pub fn nothing() -> Self {
        Self { xmin: FIRST_NORMAL_XID, xmax: FIRST_NORMAL_XID, in_progress: Vec::new() }
    }

    /// Every transaction below this id had ended.
    pub fn xmin(&self) -> Xid {
        self.xmin
    }

    /// No transaction at or above this id had ended.
    pub fn xmax(&self) -> Xid {
        self.xmax
    }

    /// The transactions between [`xmin`](Self::xmin) and [`xmax`](Self::xmax)
    /// that had not ended, ascending.
    pub fn in_progress(&self) -> &[Xid] {
        &self.in_progress
    }

    /// Whether a committed transaction's rows are visible in this snapshot.
    pub fn sees(&self, xid: Xid) -> bool {
        xid < self.xmin || (xid < self.xmax && self.in_progress.binary_search(&xid).is_err())
    }
}

impl FromStr for Snapshot {
    type Err = InvalidSnapshot;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidSnapshot { text: text.to_owned() };
        let mut parts = text.splitn(3, ':');
        let mut bound =
            || parts.next().and_then(|part| part.parse::<Xid>().ok()).ok_or_else(invalid);
        let (xmin, xmax) = (bound()?, bound()?);
        let list = parts.next().ok_or_else(invalid)?;
        let in_progress = list
            .split(',')
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().map_err(|_| invalid()))
            .collect::<Result<Vec<Xid>, _>>()?;
        let ascending = in_progress.windows(2).all(|pair| pair[0] < pair[1]);
        let within = in_progress.iter().all(|xid| (xmin..xmax).contains(xid));
        if xmin > xmax || !ascending || !within {
            return Err(invalid());
        }
        Ok(Self { xmin, xmax, in_progress })
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (index, xid) in self.in_progress.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{xid}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        text.parse().unwrap()
    }

    #[test]
    fn text_form_round_trips() {
        for text in [
            "3:3:",
            "10:20:10,14,15",
            "18446744073709551614:18446744073709551615:18446744073709551614",
        ] {
            assert_eq!(snapshot(text).to_string(), text);
        }
    }

    #[test]
    fn visibility_follows_postgresql() {
        let snapshot = snapshot("10:20:10,14,15");
        assert!(snapshot.sees(9));
        assert!(!snapshot.sees(10));
        assert!(snapshot.sees(11));
        assert!(!snapshot.sees(14));
        assert!(snapshot.sees(19));
        assert!(!snapshot.sees(20));
    }

    #[test]
    fn nothing_is_visible_in_the_empty_snapshot() {
        assert!(!Snapshot::nothing().sees(FIRST_NORMAL_XID));
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in [
            "",
            "1",
            "1:2",
            "a:b:",
            "5:4:",
            "10:20:9",
            "10:20:20",
            "10:20:12,12",
            "10:20:14,12",
            "-1:2:",
        ] {
            assert!(text.parse::<Snapshot>().is_err(), "{text}");
        }
    }
}
