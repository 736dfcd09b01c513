//! Which of some texts became which of others.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::tokens::words;

/// What is compared of one text.
const MAX_WORDS: usize = 2_000;
/// What occurs in more texts says nothing of one; it also bounds the number of pairs.
const MAX_TEXTS: usize = 8;

/// Pairs of texts that share at least half of their phrases (the coefficient of Dice over three consecutive
/// words), most similar first, each text in at most one pair. `may_pair` excludes pairs beforehand.
pub(crate) fn pairs(
    old: &[(usize, &str)],
    new: &[(usize, &str)],
    may_pair: impl Fn(usize, usize) -> bool,
) -> Vec<(usize, usize)> {
    let phrases: Vec<HashSet<u64>> = old.iter().map(|(_, text)| phrases_of(text)).collect();
    let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
    for (place, set) in phrases.iter().enumerate() {
        for phrase in set {
            places.entry(*phrase).or_default().push(place);
        }
    }
    let mut scored = Vec::new();
    for (place, (index, text)) in new.iter().enumerate() {
        let set = phrases_of(text);
        let mut shared: HashMap<usize, usize> = HashMap::new();
        for phrase in &set {
            for candidate in
                places.get(phrase).into_iter().filter(|places| places.len() <= MAX_TEXTS).flatten()
            {
                *shared.entry(*candidate).or_default() += 1;
            }
        }
        for (candidate, count) in shared {
            let score = count * 2_000 / (set.len() + phrases[candidate].len());
            if score >= 500 && may_pair(old[candidate].0, *index) {
                scored.push((std::cmp::Reverse(score), candidate, place));
            }
        }
    }
    scored.sort_unstable();
    let (mut old_taken, mut new_taken) = (HashSet::new(), HashSet::new());
    let mut found = Vec::new();
    for (_, candidate, place) in scored {
        if !old_taken.contains(&candidate) && !new_taken.contains(&place) {
            old_taken.insert(candidate);
            new_taken.insert(place);
            found.push((old[candidate].0, new[place].0));
        }
    }
    found
}

fn phrases_of(text: &str) -> HashSet<u64> {
    let words: Vec<&str> = words(text).filter(|word| !word.trim().is_empty()).take(MAX_WORDS).collect();
    words.windows(words.len().clamp(1, 3)).map(hash).collect()
}

/// A hash that is the same in every process.
pub(crate) fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
