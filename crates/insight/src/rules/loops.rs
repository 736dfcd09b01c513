//! Finds loops: the call from which the same operation is performed repeatedly.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::trace_index::{TraceIndex, covered, interval};

/// Maximum number of calls between a loop and the repeated call.
const MAX_LEVELS: usize = 16;
/// Maximum number of other calls that are considered for the time between two repeated calls.
const MAX_OTHERS: usize = 64;

/// A repeated operation.
pub(super) struct Loop {
    /// Position of the call that contains the loop.
    pub(super) at: usize,
    /// Positions of the repeated calls, in order of start.
    pub(super) positions: Vec<usize>,
}

impl Loop {
    /// The time between the repeated calls in which no other call was running, in nanoseconds: what the application
    /// and its libraries do for each of them, such as building objects of the rows. An unusually long pause counts as
    /// three of the usual ones, since it is probably something else.
    pub(super) fn between_ns(&self, trace: &TraceIndex<'_>) -> u64 {
        let others = self.other_calls(trace);
        let mut gaps: Vec<u64> = self
            .positions
            .windows(2)
            .map(|pair| {
                let gap = (interval(trace.call(pair[0])).1, trace.call(pair[1]).start_ns);
                // the other calls that overlap the gap, which are sorted by start
                let until = others.partition_point(|(from, _)| *from < gap.1);
                let within = others[..until].iter().rev().take(MAX_OTHERS).copied();
                let length = u64::try_from(gap.1.saturating_sub(gap.0)).unwrap_or_default();
                length - covered(within.collect(), gap).min(length)
            })
            .collect();
        gaps.sort_unstable();
        let usual = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
        gaps.into_iter().map(|gap| gap.min(usual.saturating_mul(3))).sum()
    }

    /// The intervals of the calls below the loop that do not lead to its repeated calls, by start.
    fn other_calls(&self, trace: &TraceIndex<'_>) -> Vec<(i64, i64)> {
        let repeated: HashSet<usize> = self.positions.iter().copied().collect();
        let mut leading = HashSet::new();
        for &position in &self.positions {
            let mut reached = position;
            while let Some(parent) = trace.parent(reached).filter(|parent| *parent != self.at) {
                if !leading.insert(parent) {
                    break;
                }
                reached = parent;
            }
        }
        let (mut others, mut pending) = (Vec::new(), vec![self.at]);
        while let Some(position) = pending.pop() {
            for &child in trace.children(position) {
                match child {
                    _ if repeated.contains(&child) => {}
                    _ if leading.contains(&child) => pending.push(child),
                    _ => others.push(interval(trace.call(child))),
                }
            }
        }
        others.sort_unstable();
        others
    }
}

/// Groups calls with the same key by the call that they are made from: directly, or each through the same chain of
/// functions. Groups with fewer than `min_count` calls are omitted.
pub(super) fn find<K: Hash + Eq + Copy>(
    trace: &TraceIndex<'_>,
    calls: impl Iterator<Item = (usize, K)>,
    min_count: usize,
) -> Vec<Loop> {
    let mut by_key: HashMap<K, Vec<usize>> = HashMap::new();
    calls.for_each(|(position, key)| by_key.entry(key).or_default().push(position));
    let mut loops: Vec<Loop> = Vec::new();
    for positions in by_key.into_values().filter(|positions| positions.len() >= min_count) {
        find_callers(trace, positions, min_count, &mut loops);
    }
    loops.sort_by_key(|one| (one.at, one.positions[0]));
    loops
}

fn find_callers(trace: &TraceIndex<'_>, positions: Vec<usize>, min_count: usize, loops: &mut Vec<Loop>) {
    // position of a call, position of the ancestor reached so far, and a hash of the functions in between
    let mut pending: Vec<(usize, usize, u64)> =
        positions.into_iter().map(|position| (position, position, 0)).collect();
    for _ in 0..MAX_LEVELS {
        let mut groups: HashMap<(usize, u64), Vec<(usize, usize)>> = HashMap::new();
        for (position, reached, path_hash) in pending.drain(..) {
            if let Some(parent) = trace.parent(reached) {
                let function = trace.function(reached) as u64;
                let path_hash = path_hash.wrapping_mul(0x0100_0000_01b3).wrapping_add(function + 1);
                groups.entry((parent, path_hash)).or_default().push((position, parent));
            }
        }
        for ((at, path_hash), members) in groups {
            if members.len() >= min_count {
                let mut positions: Vec<usize> = members.into_iter().map(|(position, _)| position).collect();
                positions.sort_unstable_by_key(|&position| (trace.call(position).start_ns, position));
                loops.push(Loop { at, positions });
            } else {
                pending.extend(members.into_iter().map(|(position, parent)| (position, parent, path_hash)));
            }
        }
        if pending.len() < min_count {
            return;
        }
    }
}
