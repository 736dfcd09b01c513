//! How many bytes the next batch takes.
//!
//! Large batches cost least. But SQLite has one writer: a batch that takes long is a pause for every request that writes
//! meanwhile. So batches shrink while others wait for the writer, and grow again when nobody does.

use std::time::Duration;

/// The most, in bytes.
const MAX: usize = 4 << 20;
/// The least, in bytes: below it the transaction costs more than what it writes.
const MIN: usize = 32 << 10;
/// How long a batch may hold the writer while others wait.
const MAX_HOLD: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct BatchSize(usize);

impl Default for BatchSize {
    fn default() -> Self {
        Self(MAX)
    }
}

impl BatchSize {
    pub(super) fn bytes(&self) -> usize {
        self.0
    }

    /// Learns from a batch: how long it held the writer, and whether others waited for it in the end.
    pub(super) fn adjust(&mut self, held: Duration, others_wait: bool) {
        self.0 = if !others_wait {
            self.0 * 2
        } else if held > MAX_HOLD {
            // by half at most: one slow moment of the machine says little
            self.0.div_ceil(2)
        } else {
            self.0
        }
        .clamp(MIN, MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_shrinks_while_others_wait_and_grows_when_nobody_does() {
        let (slow, quick) = (MAX_HOLD * 2, MAX_HOLD / 2);
        let mut size = BatchSize::default();
        size.adjust(slow, false);
        assert_eq!(size.bytes(), MAX);
        size.adjust(slow, true);
        assert_eq!(size.bytes(), MAX / 2);
        size.adjust(quick, true);
        assert_eq!(size.bytes(), MAX / 2);
        (0..20).for_each(|_| size.adjust(slow, true));
        assert_eq!(size.bytes(), MIN);
        (0..20).for_each(|_| size.adjust(slow, false));
        assert_eq!(size.bytes(), MAX);
    }
}
