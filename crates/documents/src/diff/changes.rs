use std::collections::{HashMap, HashSet};

use super::pointers::pointer_changes;
use super::{ChangeKind, SectionChange};
use crate::edits::{edits, json_units, lines};
use crate::json::without_spaces;
use crate::order::moved;
use crate::section::Section;
use crate::similarity::pairs;
use crate::{Document, Format};

/// The changed sections: those of the child in its order, then the removed ones.
pub(super) fn changes(parent: &Document, child: &Document) -> Vec<SectionChange> {
    let previous = previous(parent, child);
    let moved = moved_sections(parent, child, &previous);
    let mut changes = Vec::new();
    for (index, section) in child.sections().iter().enumerate() {
        changes.extend(match previous[index] {
            None => Some(SectionChange {
                text: Some(child.own_text(section).into_owned()),
                ..change(section, vec![ChangeKind::Added])
            }),
            Some(old) => compare(parent, &parent.sections()[old], child, section, moved[index]),
        });
    }
    let kept: HashSet<usize> = previous.into_iter().flatten().collect();
    let removed = parent.sections().iter().enumerate().filter(|(index, _)| !kept.contains(index));
    changes.extend(removed.map(|(_, section)| SectionChange {
        text: Some(parent.own_text(section).into_owned()),
        ..change(section, vec![ChangeKind::Removed])
    }));
    changes
}

fn change(section: &Section, kinds: Vec<ChangeKind>) -> SectionChange {
    SectionChange {
        section: section.id.clone(),
        title: section.title.clone(),
        kinds,
        previous_id: None,
        previous_title: None,
        text: None,
        edits: Vec::new(),
        pointers: Vec::new(),
    }
}

fn compare(
    parent: &Document,
    old: &Section,
    child: &Document,
    new: &Section,
    moved: bool,
) -> Option<SectionChange> {
    let (before, after) = (parent.own_text(old), child.own_text(new));
    let mut found = change(new, Vec::new());
    if moved {
        found.kinds.push(ChangeKind::Moved);
    }
    if old.title != new.title {
        found.kinds.push(ChangeKind::Renamed);
        found.previous_title = Some(old.title.clone());
    }
    if old.id != new.id {
        found.previous_id = Some(old.id.clone());
    }
    if before != after {
        let same = match child.format() {
            Format::Markdown => {
                found.edits = edits(&before, &after, lines);
                before.trim_end() == after.trim_end()
            }
            Format::Json(_) => {
                found.edits = edits(&before, &after, json_units);
                let same = child.is_layout(new) || without_spaces(&before) == without_spaces(&after);
                if !same {
                    found.pointers = pointer_changes(new.id.as_str(), &before, &after);
                }
                same
            }
        };
        found.kinds.push(if same { ChangeKind::Layout } else { ChangeKind::Changed });
    }
    (!found.kinds.is_empty()).then_some(found)
}

/// For each section of the child its index in the parent: by its id; a section of JSON whose key changed, by
/// its content.
fn previous(parent: &Document, child: &Document) -> Vec<Option<usize>> {
    let of_parent = parent.index();
    let mut previous: Vec<Option<usize>> =
        child.sections().iter().map(|section| of_parent.get(section.id.as_str()).copied()).collect();
    if let Format::Json(_) = child.format() {
        let of_child = child.index();
        let gone: Vec<(usize, &str)> = parent
            .sections()
            .iter()
            .enumerate()
            .filter(|(_, section)| !of_child.contains_key(section.id.as_str()))
            .map(|(index, section)| (index, &parent.text()[section.range.clone()]))
            .collect();
        let come: Vec<(usize, &str)> = child
            .sections()
            .iter()
            .enumerate()
            .filter(|(index, _)| previous[*index].is_none())
            .map(|(index, section)| (index, &child.text()[section.range.clone()]))
            .collect();
        // A renamed key stays at its depth, below the same first key.
        let place = |id: &str| (id.matches('/').count(), id.split('/').nth(1).unwrap_or_default().to_owned());
        let may_pair = |old: usize, new: usize| {
            place(parent.sections()[old].id.as_str()) == place(child.sections()[new].id.as_str())
        };
        for (old, new) in pairs(&gone, &come, may_pair) {
            previous[new] = Some(old);
        }
    }
    previous
}

/// Which sections of the child are below another section than in the parent, or in another place among their
/// siblings.
fn moved_sections(parent: &Document, child: &Document, previous: &[Option<usize>]) -> Vec<bool> {
    let above = |document: &Document, section: &Section| match document.format() {
        Format::Markdown => document.parent_id(section).unwrap_or_default().to_owned(),
        Format::Json(_) => section.id.as_str().rsplit_once('/').map_or("", |(above, _)| above).to_owned(),
    };
    let mut moves = vec![false; child.sections().len()];
    let mut siblings: HashMap<String, (Vec<usize>, Vec<usize>)> = HashMap::new();
    for (index, section) in child.sections().iter().enumerate() {
        let Some(old) = previous[index] else { continue };
        let now = above(child, section);
        if above(parent, &parent.sections()[old]) == now {
            let (children, positions) = siblings.entry(now).or_default();
            children.push(index);
            positions.push(old);
        } else {
            // The parts of a renamed key's pointer are above the sections of JSON, which have not moved with
            // it.
            moves[index] = matches!(child.format(), Format::Markdown);
        }
    }
    for (children, positions) in siblings.into_values() {
        for (index, is_moved) in children.into_iter().zip(moved(&positions)) {
            moves[index] |= is_moved;
        }
    }
    moves
}
