//! Whose bytes fill the journal, so that one owner's can't keep all others out.

use std::collections::{HashMap, VecDeque};

/// Bytes that are counted together. What is given back is given back in such pieces.
const STRETCH: u64 = 1 << 20;

/// Whom a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Tells owners apart.
    pub id: [u8; 16],
    /// Whether the frame is refused when its owner has more than its share. What ends something that was let in is only
    /// counted.
    pub bounded: bool,
}

/// What each owner has between some point of the log and its end.
///
/// Budgets are divided by what is free: nobody may have more than that. So one owner gets at most half, two get a third
/// each, and for whoever comes next there is always as much as the greediest has.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    held: HashMap<[u8; 16], u64>,
    stretches: VecDeque<Stretch>,
}

#[derive(Debug, Default)]
struct Stretch {
    /// Where it ends.
    end: u64,
    bytes: u64,
    by: Vec<([u8; 16], u64)>,
}

impl Owners {
    /// Whether an owner may have so many bytes more, where so many are free.
    pub fn admits(&self, owner: Owner, len: u64, free: u64) -> bool {
        !owner.bounded || self.held.get(&owner.id).copied().unwrap_or(0) + len <= free
    }

    /// Counts a frame that ends there.
    pub fn took(&mut self, owner: Owner, len: u64, end: u64) {
        *self.held.entry(owner.id).or_default() += len;
        if self.stretches.back().is_none_or(|last| last.bytes >= STRETCH) {
            self.stretches.push_back(Stretch::default());
        }
        let Some(last) = self.stretches.back_mut() else { return };
        last.end = end;
        last.bytes += len;
        match last.by.iter_mut().find(|(id, _)| *id == owner.id) {
            Some((_, bytes)) => *bytes += len,
            None => last.by.push((owner.id, len)),
        }
    }

    /// Forgets what lies before that point.
    pub fn passed(&mut self, position: u64) {
        while self.stretches.front().is_some_and(|first| first.end <= position) {
            let Some(first) = self.stretches.pop_front() else { return };
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
                    owners.took(owner(*id), FRAME, *end);
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
        owners.passed(end / 2);
        let half = owners.held[&[1; 16]];
        assert!(half.abs_diff(BUDGET / 6) <= 2 * STRETCH, "{half}");
        owners.passed(end);
        assert!(owners.held.is_empty() && owners.stretches.is_empty());
    }
}
