//! Two people and a model edit one document, each from the version that they last saw.

use std::collections::{BTreeMap, BTreeSet};

use loam_documents::{
    Choice, Conflict, Diff, Document, Draft, Format, SectionId, Take, diff, merge, redraft,
};
use serde_json::Value;

use crate::people::{People, marks, replaced};
use crate::{json, markdown};

/// Of each format.
const INTERLEAVINGS: u64 = 500;
const STEPS: usize = 8;

#[test]
fn nothing_is_lost_of_markdown() {
    let counts = (0..INTERLEAVINGS).map(|seed| interleaving(seed, |people| markdown(&people.markdown())));
    check_counts(&counts.collect::<Vec<_>>());
}

#[test]
fn nothing_is_lost_of_json() {
    let counts = (0..INTERLEAVINGS).map(|seed| {
        interleaving(seed, |people| {
            let value = people.json();
            json(&write(&value, seed.is_multiple_of(2)))
        })
    });
    check_counts(&counts.collect::<Vec<_>>());
}

/// Both merges and conflicts must have occurred for the checks to mean something.
fn check_counts(counts: &[(usize, usize)]) {
    let (merges, conflicts) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    assert!(merges > 1_000 && conflicts > 500, "{merges} merges, {conflicts} conflicts");
}

fn write(value: &Value, pretty: bool) -> String {
    let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
    write(value).expect("serializable")
}

/// All versions, each with its parent and the difference from it.
struct Versions {
    documents: Vec<Document>,
    diffs: Vec<Option<(usize, String)>>,
}

impl Versions {
    fn add(&mut self, parent: usize, document: Document) -> usize {
        let diff = diff(&self.documents[parent], &document).expect("one format");
        self.diffs.push(Some((parent, serde_json::to_string(&diff).expect("serializable"))));
        self.documents.push(document);
        self.documents.len() - 1
    }

    /// Makes every version again from the first one and the stored differences.
    fn replay(&self) {
        let mut replayed: Vec<Document> = Vec::new();
        for (document, diff) in self.documents.iter().zip(&self.diffs) {
            let again = match diff {
                None => document.clone(),
                Some((parent, diff)) => {
                    let diff: Diff = serde_json::from_str(diff).expect("readable");
                    diff.apply(&replayed[*parent]).expect("its parent")
                }
            };
            assert_eq!(again, *document);
            replayed.push(again);
        }
    }
}

/// The numbers of clean merges and of conflicts.
fn interleaving(seed: u64, first: impl Fn(&mut People) -> Document) -> (usize, usize) {
    let mut people = People::new(seed);
    let first = first(&mut people);
    let mut versions = Versions { documents: vec![first], diffs: vec![None] };
    let mut head = 0;
    let (mut merges, mut conflicts) = (0, 0);
    // What each person last saw of the common version, and their own from it.
    let mut seats = [(0, 0), (0, 0)];
    for _ in 0..STEPS {
        let who = people.random.usize(..3);
        if who == 2 {
            let base = people.random.usize(..versions.documents.len());
            let (document, found) =
                redrafted(&mut people, &versions.documents[base], &versions.documents[head]);
            conflicts += found;
            head = versions.add(head, document);
            continue;
        }
        let (seen, own) = seats[who];
        let edited = edit(&mut people, &versions.documents[own]);
        let own = versions.add(own, versions.documents[own].revise(edited).expect("valid"));
        let (base, mine, theirs) =
            (&versions.documents[seen], &versions.documents[own], &versions.documents[head]);
        let (document, found) = merged(&mut people, base, mine, theirs, seed);
        merges += usize::from(found == 0);
        conflicts += found;
        head = versions.add(head, document);
        // Some read the common version now; others write on.
        seats[who] = if people.random.usize(..3) > 0 { (head, head) } else { (seen, own) };
    }
    versions.replay();
    (merges, conflicts)
}

fn edit(people: &mut People, document: &Document) -> String {
    match document.format() {
        Format::Markdown => people.edit_markdown(document),
        Format::Json(_) => {
            let mut value: Value = serde_json::from_str(document.text()).expect("valid");
            people.edit_json(&mut value);
            write(&value, document.text().contains('\n'))
        }
    }
}

/// Merges and checks that nothing is lost; conflicts are then decided at random.
fn merged(
    people: &mut People,
    base: &Document,
    mine: &Document,
    theirs: &Document,
    seed: u64,
) -> (Document, usize) {
    let outcome = merge(base, mine, theirs, &[]).expect("mergeable");
    let exchanged = merge(base, theirs, mine, &[]).expect("mergeable");
    assert_eq!(outcome.document, exchanged.document, "seed {seed}");
    assert_eq!(outcome.conflicts.len(), exchanged.conflicts.len(), "seed {seed}");
    let decided = |take: &mut dyn FnMut() -> Take| {
        let choices: Vec<Choice> = outcome
            .conflicts
            .iter()
            .map(|conflict| Choice { conflict: conflict.id.clone(), take: take() })
            .collect();
        merge(base, mine, theirs, &choices).expect("mergeable").document.expect("all decided")
    };
    for document in [decided(&mut || Take::Mine), decided(&mut || Take::Theirs)] {
        nothing_lost([base, mine, theirs], &document, &outcome.conflicts, seed);
    }
    each_conflict_reported([base, mine, theirs], &outcome.conflicts, seed);
    if let Some(document) = &outcome.document {
        for (mine, theirs) in [(document, theirs), (mine, document)] {
            let again = merge(base, mine, theirs, &[]).expect("mergeable");
            assert_eq!(again.document.as_ref(), Some(document), "seed {seed}: {:?}", again.conflicts);
        }
    }
    let document = decided(&mut || if people.random.bool() { Take::Mine } else { Take::Theirs });
    (document, outcome.conflicts.len())
}

fn in_conflict(conflicts: &[Conflict]) -> BTreeSet<String> {
    let sides = conflicts.iter().flat_map(|conflict| [&conflict.base, &conflict.mine, &conflict.theirs]);
    sides.flatten().flat_map(|text| marks(text).into_keys()).collect()
}

fn nothing_lost([base, mine, theirs]: [&Document; 3], merged: &Document, conflicts: &[Conflict], seed: u64) {
    let [in_base, in_mine, in_theirs, in_merged] =
        [base, mine, theirs, merged].map(|version| marks(version.text()));
    let reported = in_conflict(conflicts);
    let all: BTreeSet<_> = in_base.keys().chain(in_mine.keys()).chain(in_theirs.keys()).collect();
    for mark in all.into_iter().filter(|mark| !reported.contains(*mark)) {
        let kept =
            match (in_base.contains_key(mark), in_mine.contains_key(mark), in_theirs.contains_key(mark)) {
                (true, mine, theirs) => mine && theirs,
                (false, _, _) => true,
            };
        let count = |marks: &BTreeMap<String, usize>| marks.get(mark).copied().unwrap_or_default();
        let most = [&in_base, &in_mine, &in_theirs].map(count).into_iter().max().unwrap_or_default();
        // A section that was written anew is a new one, which stays beside the old one if the other side
        // changed that.
        let same_section = section_with(base, mark).is_some_and(|id| {
            let stays = |side: &Document| {
                side.section_text(id).is_some() && section_with(side, mark).is_none_or(|now| now == id)
            };
            stays(mine) && stays(theirs)
        });
        let allowed = match (kept, same_section) {
            // Twice already, so each side may have removed another one.
            _ if count(&in_base) > 1 => 0..=most,
            (true, _) => 1..=most,
            (false, true) => 0..=most - 1,
            (false, false) => 0..=most,
        };
        assert!(allowed.contains(&count(&in_merged)), "seed {seed}, mark {mark}: {conflicts:#?}");
    }
    let own = |document: &Document| -> BTreeMap<SectionId, String> {
        let layout = |id: &SectionId| id.as_str() == "layout";
        let texts = document.ids().into_iter().filter(|id| !layout(id));
        texts.map(|id| (id.clone(), document.section_text(&id).expect("its own").into_owned())).collect()
    };
    let (in_base, in_mine, in_theirs, in_merged) = (own(base), own(mine), own(theirs), own(merged));
    for (id, text) in in_base {
        if in_mine.get(&id) == Some(&text) && in_theirs.get(&id) == Some(&text) {
            // A last line that doesn't end is ended where a section follows.
            let ended = format!("{text}\n");
            let now = in_merged.get(&id);
            let is_same = now == Some(&text) || (!text.ends_with('\n') && now == Some(&ended));
            let removed_above = conflicts.iter().any(|conflict| conflict.section == id);
            assert!(is_same || removed_above, "seed {seed}: {id} was {text:?}, is {now:?}");
        }
    }
}

/// The section that a mark is in.
fn section_with<'d>(document: &'d Document, mark: &str) -> Option<&'d SectionId> {
    let mark = format!("⟦{mark}⟧");
    let mut sections = document.sections().iter().filter(|section| section.id.as_str() != "layout");
    sections.find(|section| document.text()[section.range.clone()].contains(&mark)).map(|section| &section.id)
}

/// Where both wrote something else in the place of one line or value, that is a conflict with both in it.
fn each_conflict_reported([base, mine, theirs]: [&Document; 3], conflicts: &[Conflict], seed: u64) {
    let in_base = marks(base.text());
    let [by_me, by_them] = [mine, theirs].map(|version| {
        let mut replaced = replaced(version.text());
        replaced.retain(|_, new| !in_base.contains_key(new));
        replaced
    });
    let reported = in_conflict(conflicts);
    for (was, new) in by_me {
        let Some(section) = section_with(base, &was) else { continue };
        let Some(other) = by_them.get(&was).filter(|other| **other != new) else { continue };
        for (side, new) in [(mine, &new), (theirs, other)] {
            if side.section_text(section).is_some_and(|text| text.contains(&format!("⟦{new}⟧"))) {
                assert!(reported.contains(new), "seed {seed}: {was} is {new}");
            }
        }
    }
}

/// Lets the model write some sections of an old version again, and checks that people's work stays.
fn redrafted(people: &mut People, base: &Document, current: &Document) -> (Document, usize) {
    let mut drafts: Vec<Draft> = Vec::new();
    for _ in 0..people.random.usize(1..4) {
        let ids = base.ids();
        let id = &ids[people.random.usize(..ids.len())];
        if id.as_str() == "layout"
            || id.as_str() == "front-matter"
            || drafts.iter().any(|draft| draft.section == *id)
        {
            continue;
        }
        let text = base.section_text(id).expect("its own").into_owned();
        let new = match (base.format(), people.random.usize(..8)) {
            (_, 0) => None,
            (Format::Markdown, _) => Some(people.edit_section(&text)),
            (Format::Json(_), _) => {
                let mut value = serde_json::from_str(&text).expect("valid");
                people.edit_value(&mut value);
                Some(write(&value, text.contains('\n')))
            }
        };
        drafts.push(Draft { section: id.clone(), base: Some(text), text: new, after: None });
    }
    let redraft = redraft(current, &drafts).expect("valid drafts");
    let now = marks(redraft.document.text());
    let reported = in_conflict(&redraft.conflicts);
    let of_bases: BTreeSet<String> = drafts
        .iter()
        .filter_map(|draft| draft.base.as_deref())
        .flat_map(|base| marks(base).into_keys())
        .collect();
    for mark in marks(current.text()).into_keys().filter(|mark| !of_bases.contains(mark)) {
        assert!(now.contains_key(&mark), "{mark} was not in what the model saw");
    }
    for draft in &drafts {
        for mark in marks(draft.text.as_deref().unwrap_or_default()).into_keys() {
            let is_new = !of_bases.contains(&mark);
            assert!(!is_new || now.contains_key(&mark) || reported.contains(&mark), "{mark} of the model");
        }
    }
    for id in current.ids() {
        if id.as_str() != "layout" && drafts.iter().all(|draft| draft.section != id) {
            let (before, after) = (current.section_text(&id), redraft.document.section_text(&id));
            let (before, after) = (before.expect("its own"), after.unwrap_or_default());
            assert!(
                before == after || format!("{before}\n") == after,
                "{id} was not drafted: {before:?}, {after:?}"
            );
        }
    }
    (redraft.document, redraft.conflicts.len())
}
