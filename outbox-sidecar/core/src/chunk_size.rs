//! How many rows go to the broker at a time.
//!
//! Usually as many as configured. Fewer while the producer's buffer holds no
//! more, and while the broker refuses a batch: a refusal does not say which row
//! is to blame, so the chunk is halved until a row is refused alone.

/// So many chunks in a row at the ceiling, and a larger one is tried again.
const PATIENCE: u32 = 32;

/// The size of the next chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSize {
    configured: usize,
    /// Larger chunks have been refused, and no single row was to blame.
    ceiling: usize,
    passed_at_ceiling: u32,
    next: usize,
}

impl ChunkSize {
    /// Starts with the configured size, at least 1.
    pub fn new(configured: usize) -> Self {
        let configured = configured.max(1);
        Self { configured, ceiling: configured, passed_at_ceiling: 0, next: configured }
    }

    /// Rows of the next chunk, at least 1.
    pub fn rows(&self) -> usize {
        self.next
    }

    /// A chunk went through. `dead` says that rows of it were set aside: then
    /// they, and not the size, were why larger ones were refused.
    pub fn passed(&mut self, dead: bool) {
        if dead {
            self.ceiling = self.configured;
        } else if self.next == self.ceiling {
            self.passed_at_ceiling += 1;
            if self.passed_at_ceiling == PATIENCE {
                self.raise();
            }
        }
        self.next = self.next.saturating_mul(2).min(self.ceiling);
    }

    /// The producer's buffer was full after so many rows.
    pub fn filled(&mut self, rows: usize) {
        self.next = rows.clamp(1, self.ceiling);
    }

    /// The broker refused something in a chunk of so many rows.
    pub fn refused(&mut self, rows: usize) {
        self.ceiling = (rows / 2).clamp(1, self.ceiling);
        self.passed_at_ceiling = 0;
        self.next = self.ceiling;
    }

    fn raise(&mut self) {
        self.ceiling = self.ceiling.saturating_mul(2).min(self.configured);
        self.passed_at_ceiling = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_row_is_found_by_halving_and_full_size_comes_back() {
        let mut size = ChunkSize::new(8);
        for expected in [4, 2, 1] {
            size.refused(size.rows());
            assert_eq!(size.rows(), expected);
        }
        size.passed(true);
        size.passed(false);
        size.passed(false);
        size.passed(false);
        assert_eq!(size.rows(), 8);
    }

    #[test]
    fn a_size_that_is_too_large_by_itself_is_seldom_tried_again() {
        let mut size = ChunkSize::new(100);
        size.refused(100);
        for _ in 1..PATIENCE {
            size.passed(false);
            assert_eq!(size.rows(), 50);
        }
        size.passed(false);
        assert_eq!(size.rows(), 100);
    }

    #[test]
    fn a_full_buffer_is_only_a_matter_of_the_moment() {
        let mut size = ChunkSize::new(100);
        size.filled(30);
        assert_eq!(size.rows(), 30);
        size.passed(false);
        size.passed(false);
        assert_eq!(size.rows(), 100);
        size.filled(0);
        assert_eq!(size.rows(), 1);
    }
}
