//! Finding the place from which something is done over and over: the call in which the loop is.

use std::collections::HashMap;
use std::hash::Hash;

use super::ground::Ground;

/// How many calls may lie between a loop and what it does over and over.
const LEVELS: usize = 16;

/// The same, done over and over.
pub(super) struct Loop {
    /// The call in which it is.
    pub(super) at: usize,
    /// What is done, by time.
    pub(super) places: Vec<usize>,
}

/// Groups calls that are the same, which `key` tells, by the call that they are made from: at once, or each through
/// calls of the same functions. Groups of fewer than `least` are left out.
pub(super) fn find<K: Hash + Eq + Copy>(
    ground: &Ground<'_>,
    calls: impl Iterator<Item = (usize, K)>,
    least: usize,
) -> Vec<Loop> {
    let mut same: HashMap<K, Vec<usize>> = HashMap::new();
    calls.for_each(|(place, key)| same.entry(key).or_default().push(place));
    let mut loops: Vec<Loop> = Vec::new();
    for places in same.into_values().filter(|places| places.len() >= least) {
        lift(ground, places, least, &mut loops);
    }
    loops.sort_by_key(|one| (one.at, one.places[0]));
    loops
}

fn lift(ground: &Ground<'_>, places: Vec<usize>, least: usize, loops: &mut Vec<Loop>) {
    // a call with the one above it that has been reached, and a mark of the functions in between
    let mut open: Vec<(usize, usize, u64)> = places.into_iter().map(|place| (place, place, 0)).collect();
    for _ in 0..LEVELS {
        let mut groups: HashMap<(usize, u64), Vec<(usize, usize)>> = HashMap::new();
        for (place, reached, mark) in open.drain(..) {
            if let Some(parent) = ground.parent(reached) {
                let function = ground.function(reached) as u64;
                let mark = mark.wrapping_mul(0x0100_0000_01b3).wrapping_add(function + 1);
                groups.entry((parent, mark)).or_default().push((place, parent));
            }
        }
        for ((at, mark), members) in groups {
            if members.len() >= least {
                let mut places: Vec<usize> = members.into_iter().map(|(place, _)| place).collect();
                places.sort_unstable_by_key(|&place| (ground.call(place).start_ns, place));
                loops.push(Loop { at, places });
            } else {
                open.extend(members.into_iter().map(|(place, parent)| (place, parent, mark)));
            }
        }
        if open.len() < least {
            return;
        }
    }
}
