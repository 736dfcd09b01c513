//! Accounts bytes by owner, so that one owner can't fill the journal.

use std::collections::{HashMap, VecDeque};

/// Bytes per bucket; released bytes are subtracted in whole buckets.
const BUCKET_BYTES: u64 = 1 << 20;

/// The owner of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The id of the owner.
    pub id: [u8; 16],
    /// Whether the frame is refused if its owner exceeds its share. Frames that complete an accepted operation are only
    /// counted.
    pub bounded: bool,
}

/// The bytes of each owner between a position of the log and its end.
///
/// An owner may have at most as many bytes as are free. So one owner gets at most half of the budget, two get a third each,
/// and a new owner always finds as much free space as the largest owner uses.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    held: HashMap<[u8; 16], u64>,
    buckets: VecDeque<Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// Where it ends.
    end: u64,
    bytes: u64,
    by: Vec<([u8; 16], u64)>,
}

impl Owners {
    /// Whether an owner may add `len` bytes when `free` bytes are free.
    pub fn admits(&self, owner: Owner, len: u64, free: u64) -> bool {
        !owner.bounded || self.held.get(&owner.id).copied().unwrap_or(0) + len <= free
    }

    /// Counts a frame that ends there.
    pub fn add(&mut self, owner: Owner, len: u64, end: u64) {
        *self.held.entry(owner.id).or_default() += len;
        if self.buckets.back().is_none_or(|last| last.bytes >= BUCKET_BYTES) {
            self.buckets.push_back(Bucket::default());
        }
        let Some(last) = self.buckets.back_mut() else { return };
        last.end = end;
        last.bytes += len;
        match last.by.iter_mut().find(|(id, _)| *id == owner.id) {
            Some((_, bytes)) => *bytes += len,
            None => last.by.push((owner.id, len)),
        }
    }

    /// Releases the bytes before that position.
    pub fn release_up_to(&mut self, position: u64) {
        while self.buckets.front().is_some_and(|first| first.end <= position) {
            let Some(first) = self.buckets.pop_front() else { return };
            for (id, bytes) in first.by {
                if let Some(held) = self.held.get_mut(&id) {
                    *held = held.saturating_sub(bytes);
                    if *held == 0 {
                        self.held.remove(&id);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: u64 = 64 << 20;
    const FRAME: u64 = 64 << 10;

    fn owner(id: u8) -> Owner {
        Owner { id: [id; 16], bounded: true }
    }

    /// Takes frames of each owner in turn until it is refused; gives what it has.
    fn fill(owners: &mut Owners, end: &mut u64, ids: &[u8]) -> Vec<u64> {
        let mut open: Vec<u8> = ids.to_vec();
        while !open.is_empty() {
            open.retain(|id| {
                let admitted = owners.admits(owner(*id), FRAME, BUDGET - *end);
                if admitted {
                    *end += FRAME;
                    owners.add(owner(*id), FRAME, *end);
                }
                admitted
            });
        }
        ids.iter().map(|id| owners.held[&[*id; 16]]).collect()
    }

    #[test]
    fn the_greedy_leave_as_much_as_each_of_them_has() {
        let (mut owners, mut end) = (Owners::default(), 0);
        let [first] = fill(&mut owners, &mut end, &[1])[..] else { panic!("one") };
        assert!(first.abs_diff(BUDGET / 2) <= FRAME, "{first}");
        let (mut owners, mut end) = (Owners::default(), 0);
        for held in fill(&mut owners, &mut end, &[1, 2, 3]) {
            assert!(held.abs_diff(BUDGET / 4) <= 2 * FRAME, "{held}");
        }
        // a newcomer still finds room
        assert!(owners.admits(owner(4), BUDGET / 8, BUDGET - end));
    }

    #[test]
    fn what_ends_something_is_counted_but_never_refused() {
        let (mut owners, mut end) = (Owners::default(), 0);
        fill(&mut owners, &mut end, &[1]);
        assert!(!owners.admits(owner(1), FRAME, BUDGET - end));
        let sure = Owner { bounded: false, ..owner(1) };
        assert!(owners.admits(sure, FRAME, BUDGET - end));
    }

    #[test]
    fn what_has_been_passed_is_given_back() {
        let (mut owners, mut end) = (Owners::default(), 0);
        fill(&mut owners, &mut end, &[1, 2]);
        owners.release_up_to(end / 2);
        let half = owners.held[&[1; 16]];
        assert!(half.abs_diff(BUDGET / 6) <= 2 * BUCKET_BYTES, "{half}");
        owners.release_up_to(end);
        assert!(owners.held.is_empty() && owners.buckets.is_empty());
    }
}
