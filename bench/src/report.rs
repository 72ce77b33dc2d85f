//! Figures as a table and as JSON.

use std::fmt;

use serde::Serialize;

use crate::{memory::Sample, stack::Settings, topic::Correctness};

/// One figure of one workload, with the values of all its runs.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was done.
    pub workload: String,
    /// Who did it.
    pub subject: String,
    /// What the values are.
    pub unit: &'static str,
    /// A value per run.
    pub runs: Vec<f64>,
    /// The subject of the same workload and unit that this one is compared with.
    pub beside: Option<String>,
    /// Of all runs together; none where nothing is published.
    pub correctness: Option<Correctness>,
}

impl Figure {
    /// The value in the middle; the mean of two if there are two.
    pub fn median(&self) -> f64 {
        let mut runs = self.runs.clone();
        runs.sort_by(f64::total_cmp);
        let middle = runs.len() / 2;
        match (runs.get(middle.wrapping_sub(1)), runs.get(middle)) {
            (Some(below), Some(above)) if runs.len().is_multiple_of(2) => {
                f64::midpoint(*below, *above)
            }
            (_, value) => value.copied().unwrap_or(f64::NAN),
        }
    }

    fn spread(&self) -> (f64, f64) {
        let least = self.runs.iter().copied().fold(f64::INFINITY, f64::min);
        (least, self.runs.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }
}

/// What one command has measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the figures depend on.
    pub settings: Settings,
    /// The figures, in the order of the table.
    pub figures: Vec<Figure>,
    /// The relay's memory during the first drain.
    pub memory: Vec<Sample>,
}

impl Report {
    /// Adds the value of a run.
    pub fn add(
        &mut self,
        workload: &str,
        subject: &str,
        unit: &'static str,
        value: f64,
    ) -> &mut Figure {
        let same = |figure: &Figure| {
            figure.workload == workload && figure.subject == subject && figure.unit == unit
        };
        let index = self.figures.iter().position(same).unwrap_or_else(|| {
            self.figures.push(Figure {
                workload: workload.to_owned(),
                subject: subject.to_owned(),
                unit,
                runs: Vec::new(),
                beside: None,
                correctness: None,
            });
            self.figures.len() - 1
        });
        let figure = &mut self.figures[index];
        figure.runs.push(value);
        figure
    }

    /// Whether every run published every row once and in order.
    pub fn is_correct(&self) -> bool {
        self.figures.iter().filter_map(|figure| figure.correctness).all(Correctness::is_perfect)
    }

    fn ratio(&self, figure: &Figure) -> Option<f64> {
        let beside = figure.beside.as_ref()?;
        let other = self.figures.iter().find(|other| {
            other.workload == figure.workload
                && other.subject == *beside
                && other.unit == figure.unit
        })?;
        Some(figure.median() / other.median())
    }
}

impl Figure {
    /// Compares it with another subject of the same workload.
    pub fn beside(&mut self, subject: &str) -> &mut Self {
        self.beside = Some(subject.to_owned());
        self
    }

    /// Adds how right the run was.
    pub fn checked(&mut self, run: Correctness) -> &mut Self {
        let all = self.correctness.get_or_insert_default();
        all.missing += run.missing;
        all.duplicates += run.duplicates;
        all.disorders += run.disorders;
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { processors, postgresql, fsync, synchronous_commit, .. } = &self.settings;
        writeln!(
            f,
            "{processors} processors, PostgreSQL {postgresql}, fsync {fsync}, synchronous_commit {synchronous_commit}, acks {}",
            self.settings.acks
        )?;
        writeln!(
            f,
            "\n{:<24} {:<30} {:>12} {:>25} {:<10} {:>6}  missing/duplicate/disordered",
            "workload", "subject", "median", "least – most", "unit", "ratio"
        )?;
        for figure in &self.figures {
            let (least, most) = figure.spread();
            let ratio = self.ratio(figure).map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let correctness = figure.correctness.map_or_else(String::new, |run| {
                format!("{}/{}/{}", run.missing, run.duplicates, run.disorders)
            });
            let spread = format!("{least:.1} – {most:.1}");
            writeln!(
                f,
                "{:<24} {:<30} {:>12.1} {spread:>25} {:<10} {ratio:>6}  {correctness}",
                figure.workload,
                figure.subject,
                figure.median(),
                figure.unit
            )?;
        }
        Ok(())
    }
}
