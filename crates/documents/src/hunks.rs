//! The ranges in which two lists of texts differ, in bounded time.

use std::collections::HashMap;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, InternedInput};

use crate::order::moved;

/// The largest product of two lengths that is compared by Myers' algorithm, whose time is proportional to it
/// at worst. A larger stretch in which no text is unique is one difference: an unfavourable input gets a
/// longer difference, not a longer time.
const MAX_PRODUCT: usize = 4_000_000;
/// How often a stretch is divided at its unique texts.
const MAX_DIVISIONS: usize = 8;

/// What of `old` is replaced by what of `new`, in order.
///
/// As in patience diff, both lists are divided at texts that are unique in each; what is between them is
/// compared by Myers' algorithm.
pub(crate) fn hunks(old: &[&str], new: &[&str]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found = Vec::new();
    compare(old, new, (0, 0), MAX_DIVISIONS, &mut found);
    // Stretches that touch are one.
    let mut hunks: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    for (before, after) in found {
        match hunks.last_mut().filter(|last| last.0.end == before.start && last.1.end == after.start) {
            Some(last) => (last.0.end, last.1.end) = (before.end, after.end),
            None => hunks.push((before, after)),
        }
    }
    hunks
}

fn compare(
    old: &[&str],
    new: &[&str],
    start: (usize, usize),
    divisions: usize,
    found: &mut Vec<(Range<usize>, Range<usize>)>,
) {
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new, start) = (&old[same..], &new[same..], (start.0 + same, start.1 + same));
    let same = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - same], &new[..new.len() - same]);
    if old.is_empty() && new.is_empty() {
        return;
    }
    let whole = (start.0..start.0 + old.len(), start.1..start.1 + new.len());
    if old.is_empty() || new.is_empty() {
        found.push(whole);
        return;
    }
    let anchors = if divisions > 0 { anchors(old, new) } else { Vec::new() };
    if !anchors.is_empty() {
        let mut at = (0, 0);
        for (before, after) in anchors.into_iter().chain([(old.len(), new.len())]) {
            let from = (start.0 + at.0, start.1 + at.1);
            compare(&old[at.0..before], &new[at.1..after], from, divisions - 1, found);
            at = (before + 1, after + 1);
        }
    } else if old.len().saturating_mul(new.len()) > MAX_PRODUCT {
        found.push(whole);
    } else {
        let mut input = InternedInput::default();
        input.update_before(old.iter().copied());
        input.update_after(new.iter().copied());
        let mut diff = Diff::compute(Algorithm::Myers, &input);
        diff.postprocess_no_heuristic(&input);
        let range =
            |range: Range<u32>, start: usize| start + range.start as usize..start + range.end as usize;
        found.extend(diff.hunks().map(|hunk| (range(hunk.before, start.0), range(hunk.after, start.1))));
    }
}

/// The places of texts that are unique in both lists, as far as they are in the same order.
fn anchors(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let in_new = unique(new);
    let mut pairs: Vec<(usize, usize)> =
        unique(old).into_iter().filter_map(|(text, place)| Some((place?, (*in_new.get(text)?)?))).collect();
    pairs.sort_unstable();
    let positions: Vec<usize> = pairs.iter().map(|(_, place)| *place).collect();
    pairs.into_iter().zip(moved(&positions)).filter(|(_, moved)| !moved).map(|(pair, _)| pair).collect()
}

/// The place of each text; none if there are several.
fn unique<'t>(texts: &[&'t str]) -> HashMap<&'t str, Option<usize>> {
    let mut places = HashMap::with_capacity(texts.len());
    for (place, text) in texts.iter().enumerate() {
        places.entry(*text).and_modify(|place| *place = None).or_insert(Some(place));
    }
    places
}
