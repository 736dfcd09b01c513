use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The stable id of a section within its document.
///
/// In Markdown it is made from the headings when the section is first seen, and kept when the section is
/// edited, renamed or moved. In JSON it is the section's pointer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SectionId(String);

impl SectionId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for SectionId {
    fn from(id: T) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for SectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the sections of a document are: a part of its text, without the sections below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its stable id.
    pub id: SectionId,
    /// The text of its heading; in JSON, its pointer.
    pub title: String,
    /// 1 to 6 as its heading; 0 without one, and in JSON.
    pub level: u8,
    /// The section above it, as an index into the document's sections.
    pub parent: Option<usize>,
    /// Its bytes in the document's text. The range of JSON's `layout` is the whole text.
    pub range: Range<usize>,
}
