//! Daily partitions of an outbox: which are made ahead of time, and their names.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::sql_name::TableName;

/// Partitions are there so many days before their first row.
const DAYS_AHEAD: i32 = 3;

/// A day, in UTC, whose rows have a partition of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Date);

impl Day {
    /// The day of a time.
    pub fn of(time: Timestamp) -> Self {
        Self(time.to_zoned(TimeZone::UTC).date())
    }

    /// The first moment of the day, as PostgreSQL reads it.
    pub fn begin(self) -> String {
        format!("{} 00:00:00+00", self.0)
    }

    /// The first moment after the day.
    pub fn end(self) -> String {
        Self(self.0.saturating_add(jiff::Span::new().days(1))).begin()
    }

    /// The partition of the table `table`: `outbox_p20261125`.
    pub fn partition(self, table: &TableName) -> TableName {
        table.with_suffix(&format!("_p{}", self.0.strftime("%Y%m%d")))
    }
}

/// The partition for whatever fits in no other: `outbox_default`.
pub fn default_partition(table: &TableName) -> TableName {
    table.with_suffix("_default")
}

/// The days that should have a partition at this time.
pub fn days_ahead(now: Timestamp) -> impl Iterator<Item = Day> {
    let today = Day::of(now).0;
    (0..=DAYS_AHEAD).map(move |days| Day(today.saturating_add(jiff::Span::new().days(days))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_made_for_today_and_some_days_more() {
        let days: Vec<_> = days_ahead("2026-12-30T23:59:59Z".parse().unwrap()).collect();
        let table: TableName = "Shop.outbox".parse().unwrap();
        let names: Vec<_> = days.iter().map(|day| day.partition(&table).to_string()).collect();
        assert_eq!(
            names,
            [
                "Shop.outbox_p20261230",
                "Shop.outbox_p20261231",
                "Shop.outbox_p20270101",
                "Shop.outbox_p20270102"
            ]
        );
        assert_eq!(days[1].begin(), "2026-12-31 00:00:00+00");
        assert_eq!(days[1].end(), "2027-01-01 00:00:00+00");
        assert_eq!(default_partition(&table).to_string(), "Shop.outbox_default");
    }
}
