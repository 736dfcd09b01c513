//! Orders of sections and keys: what moved, and the order of a merge.

use std::collections::{HashMap, HashSet};

/// The items that are not in a longest increasing run of positions: the fewest that must have moved.
pub(crate) fn moved(positions: &[usize]) -> Vec<bool> {
    let (mut ends, mut before): (Vec<usize>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
    for (index, position) in positions.iter().enumerate() {
        let length = ends.partition_point(|end| positions[*end] < *position);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut moved = vec![true; positions.len()];
    let mut next = ends.last().copied();
    while let Some(index) = next {
        moved[index] = false;
        next = before[index];
    }
    moved
}

/// A side of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Mine,
    Theirs,
}

/// Three orders. `level` is the depth of an item in its tree: an item belongs to the nearest one before it
/// that is less deep.
pub(crate) struct Orders<'a> {
    pub base: Vec<&'a str>,
    pub mine: Vec<&'a str>,
    pub theirs: Vec<&'a str>,
}

impl<'a> Orders<'a> {
    /// The side whose order of the common items holds; `None` if both changed it, differently.
    pub(crate) fn winner(&self) -> Option<Side> {
        let (mine, theirs) = (self.shared(&self.mine), self.shared(&self.theirs));
        if mine == theirs {
            return Some(Side::Mine);
        }
        let [base, mine, theirs] = self.common();
        match (base == mine, base == theirs) {
            (true, false) => Some(Side::Theirs),
            (false, true) => Some(Side::Mine),
            _ => None,
        }
    }

    /// A side that is the same whichever is called mine.
    pub(crate) fn canonical(&self) -> Side {
        let [_, mine, theirs] = self.common();
        let key = |common, side| (common, self.shared(side));
        if key(mine, &self.mine) <= key(theirs, &self.theirs) { Side::Mine } else { Side::Theirs }
    }

    /// The orders of what both sides have.
    pub(crate) fn sides(&self) -> [Vec<&'a str>; 2] {
        [self.shared(&self.mine), self.shared(&self.theirs)]
    }

    /// All items of both sides. What both have is in the order of the winner; what one side alone has follows
    /// what it follows on its side, and of two such runs at one place the deeper item comes first, then the
    /// smaller id.
    pub(crate) fn merged(&self, winner: Side, level: impl Fn(&str) -> u8) -> Vec<&'a str> {
        let skeleton = self.shared(if winner == Side::Mine { &self.mine } else { &self.theirs });
        let shared: HashSet<&str> = skeleton.iter().copied().collect();
        let (mut mine, mut theirs) = (runs(&self.mine, &shared), runs(&self.theirs, &shared));
        let mut order = Vec::new();
        for anchor in std::iter::once(None).chain(skeleton.into_iter().map(Some)) {
            order.extend(anchor);
            let runs = [mine.remove(&anchor).unwrap_or_default(), theirs.remove(&anchor).unwrap_or_default()];
            interleave(&runs, &level, &mut order);
        }
        order
    }

    fn shared(&self, side: &[&'a str]) -> Vec<&'a str> {
        let (mine, theirs): (HashSet<_>, HashSet<_>) =
            (self.mine.iter().collect(), self.theirs.iter().collect());
        side.iter().copied().filter(|id| mine.contains(id) && theirs.contains(id)).collect()
    }

    fn common(&self) -> [Vec<&'a str>; 3] {
        let base: HashSet<_> = self.base.iter().collect();
        let in_base = |side| self.shared(side).into_iter().filter(|id| base.contains(id)).collect::<Vec<_>>();
        [in_base(&self.base), in_base(&self.mine), in_base(&self.theirs)]
    }
}

/// What follows each shared item and is not shared.
fn runs<'a>(side: &[&'a str], shared: &HashSet<&str>) -> HashMap<Option<&'a str>, Vec<&'a str>> {
    let mut runs: HashMap<Option<&str>, Vec<&str>> = HashMap::new();
    let mut anchor = None;
    for id in side {
        match shared.contains(id) {
            true => anchor = Some(*id),
            false => runs.entry(anchor).or_default().push(id),
        }
    }
    runs
}

fn interleave<'a>(runs: &[Vec<&'a str>; 2], level: &impl Fn(&str) -> u8, order: &mut Vec<&'a str>) {
    let mut at = [0, 0];
    loop {
        let heads = [runs[0].get(at[0]), runs[1].get(at[1])];
        let key = |id: &&'a str| (std::cmp::Reverse(level(id)), *id);
        let side = match heads {
            [None, None] => return,
            [Some(_), None] => 0,
            [None, Some(_)] => 1,
            [Some(mine), Some(theirs)] => usize::from(key(theirs) < key(mine)),
        };
        let top = level(runs[side][at[side]]);
        order.push(runs[side][at[side]]);
        at[side] += 1;
        // Its subtree stays with it.
        while let Some(id) = runs[side].get(at[side]).filter(|id| level(id) > top) {
            order.push(id);
            at[side] += 1;
        }
    }
}
