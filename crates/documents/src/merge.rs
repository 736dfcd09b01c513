//! Two versions that were made from a third become one, or show what only a person can decide.

mod json;
mod lines;
mod markdown;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{Document, Error, Format, Result, Revision, SectionId};

/// The result of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The merged version, once no conflict is left.
    pub document: Option<Document>,
    /// What is to be decided, each with both sides whole.
    pub conflicts: Vec<Conflict>,
}

/// A section that both sides changed in ways that exclude each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// By which a [`Choice`] names it: the hash of everything below, so that a choice never meets other texts
    /// than those that it was made between.
    pub id: Revision,
    /// What excludes what.
    pub kind: ConflictKind,
    /// The section; in an `order` conflict the section is empty.
    pub section: SectionId,
    /// Its text in the base.
    pub base: Option<String>,
    /// My text; absent if I removed the section. Of an `order` conflict the ids in my order, one a line.
    pub mine: Option<String>,
    /// Their text, likewise.
    pub theirs: Option<String>,
    /// Where the sides of a section of JSON exclude each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pointers: Vec<String>,
}

/// How two changes exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Both changed the section at the same place.
    BothChanged,
    /// Both added the section, with different texts.
    BothAdded,
    /// I removed what they changed, or put something under.
    MineRemoved,
    /// They removed what I changed, or put something under.
    TheirsRemoved,
    /// Both changed the order of the same sections.
    Order,
}

/// The decision of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The id of the conflict.
    pub conflict: Revision,
    /// What is taken.
    pub take: Take,
}

/// What is taken where two sides exclude each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// My side.
    Mine,
    /// Their side.
    Theirs,
    /// This text; an empty one removes the section.
    Text(String),
}

/// Merges two versions that were both made from `base`, section by section. With choices for the conflicts of
/// an earlier call, it takes those; without a conflict left there is a merged version.
///
/// # Errors
/// If the formats differ, a choice is for no conflict of this merge, or a chosen text is not valid JSON.
///
/// # Examples
/// ```
/// use loam_documents::{Choice, Document, Format, Take, merge};
///
/// let base = Document::new(Format::Markdown, "# Plan\n\nOne.\n\n## Risks\n\nFew.\n")?;
/// let mine = base.revise("# Plan\n\nOne and two.\n\n## Risks\n\nFew.\n")?;
/// let theirs = base.revise("# Plan\n\nOne.\n\n## Risks\n\nMany.\n")?;
/// let merged = merge(&base, &mine, &theirs, &[])?.document.expect("no conflict");
/// assert_eq!(merged.text(), "# Plan\n\nOne and two.\n\n## Risks\n\nMany.\n");
///
/// let other = base.revise("# Plan\n\nOne.\n\n## Risks\n\nNone.\n")?;
/// let undecided = merge(&base, &theirs, &other, &[])?;
/// let choice = Choice { conflict: undecided.conflicts[0].id.clone(), take: Take::Theirs };
/// let decided = merge(&base, &theirs, &other, &[choice])?.document.expect("decided");
/// assert_eq!(decided.text(), other.text());
/// # Ok::<(), loam_documents::Error>(())
/// ```
pub fn merge(base: &Document, mine: &Document, theirs: &Document, choices: &[Choice]) -> Result<Merge> {
    let mut decisions = Decisions::new(choices);
    let document = merge_with(base, mine, theirs, &mut decisions)?;
    if let Some(unknown) = choices.iter().find(|choice| !decisions.used.contains(&choice.conflict)) {
        return Err(Error::UnknownConflict(unknown.conflict.clone()));
    }
    let decided = decisions.open.is_empty();
    Ok(Merge { document: decided.then_some(document), conflicts: decisions.open })
}

/// As [`merge`], and where both sides exclude each other, the version has mine.
pub(crate) fn merge_keeping_mine(
    base: &Document,
    mine: &Document,
    theirs: &Document,
) -> Result<(Document, Vec<Conflict>)> {
    let mut decisions = Decisions::new(&[]);
    let document = merge_with(base, mine, theirs, &mut decisions)?;
    Ok((document, decisions.open))
}

fn merge_with(
    base: &Document,
    mine: &Document,
    theirs: &Document,
    decisions: &mut Decisions<'_>,
) -> Result<Document> {
    if base.format() != mine.format() || base.format() != theirs.format() {
        return Err(Error::Format);
    }
    match base.format() {
        Format::Markdown => markdown::merge(base, mine, theirs, decisions),
        Format::Json(table) => {
            let text = json::merge(base.text(), mine.text(), theirs.text(), table, decisions)?;
            Document::new(base.format().clone(), text)
        }
    }
}

/// The choices that were made, and the conflicts that none was made for.
struct Decisions<'a> {
    choices: HashMap<&'a Revision, &'a Take>,
    used: HashSet<Revision>,
    open: Vec<Conflict>,
}

impl<'a> Decisions<'a> {
    fn new(choices: &'a [Choice]) -> Self {
        let choices = choices.iter().map(|choice| (&choice.conflict, &choice.take)).collect();
        Self { choices, used: HashSet::new(), open: Vec::new() }
    }

    /// What was chosen; otherwise the conflict is open, and a version that is made anyway has mine.
    fn decide(
        &mut self,
        kind: ConflictKind,
        section: &str,
        sides: Sides<'_>,
        pointers: Vec<String>,
    ) -> &'a Take {
        let text = |side: Option<&str>| side.map_or_else(|| "-".to_owned(), |text| format!("+{text}"));
        let hashed =
            [format!("{kind:?}"), section.to_owned(), text(sides.base), text(sides.mine), text(sides.theirs)];
        let id = Revision::of(hashed.iter().map(String::as_str));
        if let Some(take) = self.choices.get(&id) {
            self.used.insert(id);
            return take;
        }
        self.open.push(Conflict {
            id,
            kind,
            section: SectionId::from(section),
            base: sides.base.map(str::to_owned),
            mine: sides.mine.map(str::to_owned),
            theirs: sides.theirs.map(str::to_owned),
            pointers,
        });
        &Take::Mine
    }
}

/// The texts of a section, absent where it doesn't exist.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sides<'t> {
    base: Option<&'t str>,
    mine: Option<&'t str>,
    theirs: Option<&'t str>,
}

impl<'t> Sides<'t> {
    /// The side that holds without looking inside: the one that changed, or both if they are the same.
    fn plain(self) -> Option<Option<&'t str>> {
        match self {
            Self { mine, theirs, .. } if mine == theirs => Some(mine),
            Self { base, mine, theirs } if mine == base => Some(theirs),
            Self { base, mine, theirs } if theirs == base => Some(mine),
            _ => None,
        }
    }

    fn map(self, map: impl Fn(&'t str) -> &'t str) -> Self {
        Self { base: self.base.map(&map), mine: self.mine.map(&map), theirs: self.theirs.map(&map) }
    }

    /// For white space, which is no content: where both sides changed it, the longer one.
    fn spaces(self) -> &'t str {
        let length = |text: &Option<&'t str>| text.map(|text| (text.len(), text));
        let longer = || std::cmp::max_by_key(self.mine, self.theirs, length);
        self.plain().unwrap_or_else(longer).unwrap_or_default()
    }

    fn kind(self) -> ConflictKind {
        match self {
            Self { mine: None, .. } => ConflictKind::MineRemoved,
            Self { theirs: None, .. } => ConflictKind::TheirsRemoved,
            Self { base: None, .. } => ConflictKind::BothAdded,
            _ => ConflictKind::BothChanged,
        }
    }
}
