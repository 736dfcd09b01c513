//! The difference of two versions by section, from which the later one is made again exactly.

mod changes;
mod pointers;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

pub use pointers::PointerChange;

use crate::edits::{Edit, apply_edits};
use crate::{Document, Error, Result, Revision, SectionId};

/// The version of [`Diff`] that is written.
const VERSION: u16 = 1;

/// What changed from a version, the parent, to a later one, its child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// The version of this format.
    pub version: u16,
    /// The version that was changed.
    pub parent: Revision,
    /// The version that it became.
    pub child: Revision,
    /// The changed sections: those of the child in its order, then the removed ones.
    pub changes: Vec<SectionChange>,
    /// The ids of all sections of the child in order, where they differ from the parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<SectionId>>,
}

/// What changed in one section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionChange {
    /// The section's id; of a removed one, its id in the parent.
    pub section: SectionId,
    /// Its title; of a removed one, its last.
    pub title: String,
    /// What happened to it, one or several of these.
    pub kinds: Vec<ChangeKind>,
    /// Its id in the parent, if that was another: a renamed section of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_id: Option<SectionId>,
    /// Its title in the parent, if it was renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_title: Option<String>,
    /// The text of an added or removed section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The changes of its text: in Markdown by lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// The changed values of a section of JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pointers: Vec<PointerChange>,
}

/// What happened to a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Only the child has it.
    Added,
    /// Only the parent has it.
    Removed,
    /// Its content is another.
    Changed,
    /// It is below another section, or before another one of the same level.
    Moved,
    /// Its heading, or in JSON its key, is another.
    Renamed,
    /// Only white space is another, or in JSON what is between the sections.
    Layout,
}

/// The difference between two versions of a document.
///
/// # Errors
/// If their formats differ.
pub fn diff(parent: &Document, child: &Document) -> Result<Diff> {
    if parent.format() != child.format() {
        return Err(Error::Format);
    }
    let (before, after) = (parent.ids(), child.ids());
    Ok(Diff {
        version: VERSION,
        parent: parent.revision(),
        child: child.revision(),
        changes: changes::changes(parent, child),
        order: (before != after).then_some(after),
    })
}

impl Diff {
    /// Makes the child of the parent.
    ///
    /// # Errors
    /// If the diff is of a version that isn't known, or of another parent.
    pub fn apply(&self, parent: &Document) -> Result<Document> {
        if self.version != VERSION {
            return Err(Error::DiffVersion(self.version));
        }
        if parent.revision() != self.parent {
            return Err(Error::DiffParent);
        }
        let sections = parent.index();
        let removed = |change: &&SectionChange| !change.kinds.contains(&ChangeKind::Removed);
        let changes: HashMap<&str, &SectionChange> =
            self.changes.iter().filter(removed).map(|change| (change.section.as_str(), change)).collect();
        let order = self.order.clone().unwrap_or_else(|| parent.ids());
        if order.iter().collect::<HashSet<_>>().len() != order.len() {
            return Err(Error::DiffParent);
        }
        let mut own = Vec::with_capacity(order.len());
        for id in order {
            let change = changes.get(id.as_str());
            let text = match change {
                Some(SectionChange { text: Some(text), .. }) => text.clone(),
                _ => {
                    let previous = change.and_then(|change| change.previous_id.as_ref()).unwrap_or(&id);
                    let index = sections.get(previous.as_str()).ok_or(Error::DiffParent)?;
                    let text = parent.own_text(&parent.sections()[*index]);
                    match change {
                        Some(change) => apply_edits(&text, &change.edits)?,
                        None => text.into_owned(),
                    }
                }
            };
            own.push((id, text));
        }
        let child = Document::from_own_texts(parent.format().clone(), own)?;
        if child.revision() != self.child {
            return Err(Error::DiffParent);
        }
        Ok(child)
    }
}
