//! Ids of Markdown sections: which sections of a new text are sections of the previous one.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::SectionId;
use crate::markdown::Part;
use crate::section::Section;
use crate::similarity::{hash, pairs};

/// The longest id, in bytes; of a longer one the beginning is replaced by its hash.
const MAX_ID: usize = 160;
/// The longest part of an id that comes from one heading, in characters.
const MAX_SLUG: usize = 48;

/// The sections of a text, with the ids that are known; the others get new ones, none of which is in
/// `reserved`.
pub(crate) fn name(
    parts: Vec<Part>,
    known: Vec<Option<SectionId>>,
    reserved: &HashSet<&str>,
) -> Vec<Section> {
    let parents = parents(parts.iter().map(|part| part.level));
    let mut taken: HashSet<String> = reserved.iter().map(|id| (*id).to_owned()).collect();
    taken.extend(known.iter().flatten().map(|id| id.as_str().to_owned()));
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut sections: Vec<Section> = Vec::with_capacity(parts.len());
    for ((part, known), parent) in parts.into_iter().zip(known).zip(parents) {
        let id = known.unwrap_or_else(|| {
            let above = parent.map(|parent| sections[parent].id.as_str());
            let plain = part.fixed.map_or_else(|| path_id(above, &part.title), str::to_owned);
            let number = numbers.entry(plain.clone()).or_insert(1);
            let mut id = plain.clone();
            while !taken.insert(id.clone()) {
                *number += 1;
                id = format!("{plain}-{number}");
            }
            SectionId::from(id)
        });
        sections.push(Section { id, title: part.title, level: part.level, parent, range: part.range });
    }
    sections
}

/// For each part of a new text, the id of the same section in the previous version, if there is one.
///
/// In this order, each section once: the same headings above it and the same text; the same text, if only one
/// has it; the same headings; the same heading, if only one has it; most of its subsections are of one
/// section; half of the phrases below its heading.
pub(crate) fn carry(old: &[Section], old_text: &str, parts: &[Part], text: &str) -> Vec<Option<SectionId>> {
    let new_parents = parents(parts.iter().map(|part| part.level));
    let old_own = |index: usize| &old_text[old[index].range.clone()];
    let new_own = |index: usize| &text[parts[index].range.clone()];
    let old_paths = paths(old.iter().map(|section| (section.title.as_str(), section.parent)));
    let new_paths =
        paths(parts.iter().zip(&new_parents).map(|(part, parent)| (part.title.as_str(), *parent)));
    let mut matching = Matching { of_new: vec![None; parts.len()], old_free: vec![true; old.len()] };

    matching.by(
        |index| (old[index].level == 0).then(|| old[index].id.as_str()),
        |index| parts[index].fixed,
        false,
    );
    // Parts without a heading have fixed ids, and are never what a section with a heading became.
    let old_key = |index: usize| old[index].level > 0;
    let new_key = |index: usize| parts[index].level > 0;
    matching.by(
        |index| old_key(index).then(|| (old_paths[index], old_own(index))),
        |index| new_key(index).then(|| (new_paths[index], new_own(index))),
        false,
    );
    matching.by(
        |index| old_key(index).then(|| old_own(index)),
        |index| new_key(index).then(|| new_own(index)),
        true,
    );
    matching.by(
        |index| old_key(index).then(|| old_paths[index]),
        |index| new_key(index).then(|| new_paths[index]),
        false,
    );
    matching.by(
        |index| old_key(index).then(|| old[index].title.as_str()),
        |index| new_key(index).then(|| parts[index].title.as_str()),
        true,
    );
    matching.by_children(old, &new_parents);
    let parent_of_new: Vec<_> =
        new_parents.iter().map(|parent| parent.and_then(|parent| matching.of_new[parent])).collect();
    matching.by(
        |index| old[index].parent.map(|parent| (parent, old[index].title.as_str())),
        |index| parent_of_new[index].map(|parent| (parent, parts[index].title.as_str())),
        false,
    );
    let free_old: Vec<_> = (0..old.len())
        .filter(|index| matching.old_free[*index] && old_key(*index))
        .map(|index| (index, body(old_own(index))))
        .collect();
    let free_new: Vec<_> = (0..parts.len())
        .filter(|index| matching.of_new[*index].is_none() && new_key(*index))
        .map(|index| (index, body(new_own(index))))
        .collect();
    for (old, new) in pairs(&free_old, &free_new, |_, _| true) {
        matching.pair(old, new);
    }
    matching.of_new.into_iter().map(|found| found.map(|index| old[index].id.clone())).collect()
}

/// What is below a section's heading.
fn body(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, body)| body)
}

struct Matching {
    of_new: Vec<Option<usize>>,
    old_free: Vec<bool>,
}

impl Matching {
    fn pair(&mut self, old: usize, new: usize) {
        self.of_new[new] = Some(old);
        self.old_free[old] = false;
    }

    /// Pairs unpaired sections with the same key: in their order, or only where one on each side has it.
    fn by<K: Hash + Eq>(
        &mut self,
        old_key: impl Fn(usize) -> Option<K>,
        new_key: impl Fn(usize) -> Option<K>,
        unique: bool,
    ) {
        let mut groups: HashMap<K, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for old in (0..self.old_free.len()).filter(|old| self.old_free[*old]) {
            if let Some(key) = old_key(old) {
                groups.entry(key).or_default().0.push(old);
            }
        }
        for new in (0..self.of_new.len()).filter(|new| self.of_new[*new].is_none()) {
            if let Some(key) = new_key(new) {
                groups.entry(key).or_default().1.push(new);
            }
        }
        for (old, new) in groups.into_values() {
            if !unique || (old.len() == 1 && new.len() == 1) {
                for (old, new) in old.into_iter().zip(new) {
                    self.pair(old, new);
                }
            }
        }
    }

    /// Pairs a section with the one that most of its subsections were below.
    fn by_children(&mut self, old: &[Section], new_parents: &[Option<usize>]) {
        let mut votes: HashMap<(usize, usize), usize> = HashMap::new();
        for (new, parent) in new_parents.iter().enumerate() {
            if let (Some(parent), Some(old_parent)) =
                (*parent, self.of_new[new].and_then(|index| old[index].parent))
                && self.of_new[parent].is_none()
                && self.old_free[old_parent]
            {
                *votes.entry((old_parent, parent)).or_default() += 1;
            }
        }
        let mut votes: Vec<_> = votes.into_iter().collect();
        votes.sort_unstable_by_key(|(pair, count)| (std::cmp::Reverse(*count), *pair));
        for ((old, new), _) in votes {
            if self.old_free[old] && self.of_new[new].is_none() {
                self.pair(old, new);
            }
        }
    }
}

/// The section above each: the nearest one before it with a lower level.
fn parents(levels: impl Iterator<Item = u8>) -> Vec<Option<usize>> {
    let mut above: Vec<(u8, usize)> = Vec::new();
    levels
        .enumerate()
        .map(|(index, level)| {
            above.retain(|(other, _)| *other < level);
            let parent = above.last().map(|(_, parent)| *parent);
            if level > 0 {
                above.push((level, index));
            }
            parent
        })
        .collect()
}

/// A hash of each section's headings from the top.
fn paths<'a>(headings: impl Iterator<Item = (&'a str, Option<usize>)>) -> Vec<u64> {
    let mut paths: Vec<u64> = Vec::new();
    for (title, parent) in headings {
        paths.push(hash((parent.map(|parent| paths[parent]), title)));
    }
    paths
}

fn path_id(above: Option<&str>, title: &str) -> String {
    let mut slug = String::new();
    for char in title.chars().flat_map(char::to_lowercase) {
        if char.is_alphanumeric() {
            slug.push(char);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug: String = slug.trim_end_matches('-').chars().take(MAX_SLUG).collect();
    let slug = if slug.is_empty() { "section".to_owned() } else { slug };
    match above {
        None => slug,
        Some(above) if above.len() + slug.len() < MAX_ID => format!("{above}/{slug}"),
        Some(above) => format!("{:016x}/{slug}", hash(above)),
    }
}
