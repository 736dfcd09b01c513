use crate::{Revision, SectionId};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a document, a diff, a choice or a dependency is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not JSON.
    #[error("the text is not JSON: {0}")]
    Json(String),
    /// An object has a key twice, so that its pointer would name two values.
    #[error("the key `{key}` occurs twice in the object at `{pointer}`: give each key once")]
    DuplicateKey {
        /// The object.
        pointer: String,
        /// The key.
        key: String,
    },
    /// The JSON is nested too deeply.
    #[error("the JSON is nested deeper than {0} levels")]
    TooDeep(usize),
    /// A pattern of a section table is malformed, or covers another one.
    #[error("the section pattern `{pattern}` is invalid: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Documents of different formats or section tables can't be compared.
    #[error("the documents have different formats: compare versions of one document")]
    Format,
    /// A stored list of section ids is not of this text.
    #[error("the text has {sections} sections, the list {ids} different ids: it belongs to another version")]
    Ids {
        /// The number of sections of the text.
        sections: usize,
        /// The number of different ids.
        ids: usize,
    },
    /// A diff was written by a newer version of this crate.
    #[error("the diff has version {0}, which is not known here")]
    DiffVersion(u16),
    /// A diff is applied to another text than its parent.
    #[error("the diff does not belong to this version of the document")]
    DiffParent,
    /// A choice names a conflict that this merge doesn't have: a side has changed meanwhile, or it was never
    /// there.
    #[error("the merge has no conflict {0}: merge again, and choose from its conflicts")]
    UnknownConflict(Revision),
    /// A text was chosen for the order of sections.
    #[error("the order of sections is chosen from one side, not given as a text")]
    OrderText,
    /// Two drafts are of one section.
    #[error("the section `{0}` is drafted twice")]
    DraftTwice(SectionId),
    /// A draft is not exactly one section of the level of the section that it replaces.
    #[error("the draft of `{0}` is not one section: begin with its heading, and add no other heading")]
    DraftShape(SectionId),
    /// A draft's place does not exist.
    #[error("the draft of `{section}` can't be placed at `{place}`: there is no such place")]
    DraftPlace {
        /// The drafted section.
        section: SectionId,
        /// Where it should have been.
        place: String,
    },
    /// A recorded dependency would make a section depend on itself.
    #[error("`{0}` would depend on itself")]
    Cycle(String),
}
