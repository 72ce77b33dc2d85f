//! How many rows go to the broker at a time.
//!
//! Usually as many as configured. Fewer while the producer's buffer holds no
//! more, and while the broker refuses a batch: a refusal does not say which row
//! is to blame, so the chunk is halved until a row is refused alone.
//!
//! And no more than have so many bytes together. The database sends all that it
//! was asked for, so it is asked for as many rows as would fill a chunk if they
//! were like the last ones; a chunk that is full before is left there.

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
    bytes: usize,
    /// A row's size, lately; at least 1.
    average: Option<usize>,
}

/// A chunk while its rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filling {
    limit: usize,
    enough: usize,
    rows: usize,
    bytes: usize,
}

impl Filling {
    /// Rows to ask for, at least 1.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Rows that are in it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of these.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a row of so many bytes. Says whether that was enough before the limit: then no
    /// more are to be read.
    pub fn add(&mut self, bytes: usize) -> bool {
        self.rows += 1;
        self.bytes += bytes;
        self.rows < self.limit && self.bytes >= self.enough
    }
}

impl ChunkSize {
    /// Starts with the configured numbers of rows and bytes, both at least 1.
    pub fn new(rows: usize, bytes: usize) -> Self {
        let (rows, bytes) = (rows.max(1), bytes.max(1));
        Self {
            configured: rows,
            ceiling: rows,
            passed_at_ceiling: 0,
            next: rows,
            bytes,
            average: None,
        }
    }

    /// Rows of the next chunk, at least 1.
    pub fn rows(&self) -> usize {
        let fit = self.average.map_or(usize::MAX, |average| self.bytes / average);
        self.next.min(fit).max(1)
    }

    /// Bytes that fill a chunk.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next chunk, of which no row is read yet.
    pub fn begin(&self) -> Filling {
        Filling { limit: self.rows(), enough: self.bytes, rows: 0, bytes: 0 }
    }

    /// A chunk's rows are read; what they weighed is expected of the next. Says whether the
    /// rows that were asked for and left would be more than a chunk, if they are like these.
    pub fn ended(&mut self, chunk: &Filling) -> bool {
        if chunk.rows > 0 {
            self.average = Some(chunk.bytes.div_ceil(chunk.rows).max(1));
        }
        let left = chunk.limit.saturating_sub(chunk.rows);
        self.average.is_some_and(|average| average.saturating_mul(left) > self.bytes)
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

    /// The producer's buffer was full, or there were enough bytes, after so many rows.
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
        let mut size = ChunkSize::new(8, 1_000);
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
        let mut size = ChunkSize::new(100, 1_000);
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
        let mut size = ChunkSize::new(100, 1_000);
        size.filled(30);
        assert_eq!(size.rows(), 30);
        size.passed(false);
        size.passed(false);
        assert_eq!(size.rows(), 100);
        size.filled(0);
        assert_eq!(size.rows(), 1);
    }

    /// A chunk of so many rows of so many bytes each, as far as it takes them; whether what is
    /// left would be more than a chunk.
    fn fill(size: &mut ChunkSize, rows: usize, each: usize) -> (usize, bool) {
        let mut chunk = size.begin();
        for _ in 0..rows.min(chunk.limit()) {
            if chunk.add(each) {
                break;
            }
        }
        (chunk.rows(), size.ended(&chunk))
    }

    #[test]
    fn fewer_rows_are_asked_for_when_the_last_ones_were_large() {
        let mut size = ChunkSize::new(100, 1_000);
        assert_eq!(fill(&mut size, 100, 4), (100, false));
        assert_eq!(size.rows(), 100);
        assert_eq!(fill(&mut size, 100, 250), (4, true), "full, and much is left");
        size.filled(4);
        assert_eq!(size.rows(), 4);
        for _ in 0..10 {
            assert_eq!(fill(&mut size, 4, 250), (4, false));
            size.passed(false);
            assert_eq!(size.rows(), 4, "rows of the same size fill a chunk as before");
        }
        assert_eq!(fill(&mut size, 4, 999), (2, true), "one byte less is not enough");
        assert_eq!(fill(&mut size, 1, 5_000), (1, false));
        assert_eq!(size.rows(), 1, "one that is larger than a chunk goes alone");
        fill(&mut size, 0, 0);
        assert_eq!(size.rows(), 1, "no row says nothing");
        fill(&mut size, 1, 10);
        size.passed(false);
        assert_eq!(size.rows(), 100);
    }
}
