//! IDs that identify sample data: UUIDv7 with the time of their row, and a mark instead of random bits.
//!
//! 48 bits of time and 26 bits of a counter make them unique; 48 bits are the mark. A random ID has the mark with a
//! probability of 2⁻⁴⁸.

use chrono::{DateTime, Utc};
use loam_kernel::{NodeId, first_id_at};
use uuid::Uuid;

/// "sample", in ASCII.
const MARK: u128 = 0x7361_6d70_6c65;
const MARK_MASK: u128 = (1 << 48) - 1;
const VERSION_AND_VARIANT: u128 = (0x7 << 76) | (0b10 << 62);

/// The node of the sample's calls.
pub(crate) const NODE: NodeId = NodeId(Uuid::from_u128(VERSION_AND_VARIANT | MARK));

/// Generates unique IDs.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    count: u128,
}

impl Ids {
    /// An ID with a timestamp. IDs with the same timestamp sort in order of generation, unless the counter wraps (at 67
    /// million).
    pub(crate) fn at<T: From<Uuid>>(&mut self, at: DateTime<Utc>) -> T {
        self.count += 1;
        let (high, low) = ((self.count >> 14) & 0xfff, self.count & 0x3fff);
        let id = first_id_at(at).as_u128() | VERSION_AND_VARIANT | (high << 64) | (low << 48) | MARK;
        T::from(Uuid::from_u128(id))
    }
}

/// Whether an ID belongs to sample data.
pub(crate) fn is_sample(id: Uuid) -> bool {
    id.as_u128() & MARK_MASK == MARK && id.get_version_num() == 7
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use loam_kernel::Clock;

    use super::*;

    #[test]
    fn ids_have_their_time_and_mark_and_are_unique() {
        let at = DateTime::from_timestamp_micros(1_780_000_000_123_456).expect("a time");
        let mut ids = Ids::default();
        let made: Vec<Uuid> = (0..200_000).map(|_| ids.at(at)).collect();
        assert!(made.iter().all(|id| is_sample(*id) && id.get_variant() == uuid::Variant::RFC4122));
        assert!(made.is_sorted());
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), made.len());
        let (seconds, nanos) = made[0].get_timestamp().expect("a UUIDv7").to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (1_780_000_000, 123));
        assert!(is_sample(NODE.0));
    }

    #[test]
    fn other_ids_are_not_recognized() {
        let clock = Clock::system();
        assert!((0..10_000).all(|_| !is_sample(clock.id())));
        assert!(!is_sample(Uuid::nil()) && !is_sample(Uuid::max()));
    }
}
