//! Documents that several people and a model edit: divided into sections, compared, merged, and kept up to
//! date with what they were made from.
//!
//! Belongs here: what follows from the texts alone. Does not belong here: storing versions, who may change
//! them, and asking a model. The rules, with examples: `docs/DOCUMENTS.md`.
//!
//! ```
//! use loam_documents::{Document, Format, diff};
//!
//! let first = Document::new(Format::Markdown, "# Shop\n\n## Goals\n\nSell.\n\n## Risks\n\nFew.\n")?;
//! let second = first.revise("# Shop\n\n## Aims\n\nSell.\n\n## Risks\n\nMany.\n")?;
//! // The renamed section is still the same one.
//! assert_eq!(second.sections()[1].id.as_str(), "shop/goals");
//!
//! let change = diff(&first, &second)?;
//! let titles: Vec<&str> = change.changes.iter().map(|change| change.title.as_str()).collect();
//! assert_eq!(titles, ["Aims", "Risks"]);
//! assert_eq!(change.apply(&first)?, second);
//! # Ok::<(), loam_documents::Error>(())
//! ```

mod dependencies;
mod diff;
mod document;
mod edits;
mod error;
mod hunks;
mod identity;
mod json;
mod markdown;
mod merge;
mod order;
mod redraft;
mod revision;
mod section;
mod similarity;
mod tokens;

pub use dependencies::{Dependencies, SectionRef, Source, Stale, StaleReason};
pub use diff::{ChangeKind, Diff, PointerChange, SectionChange, diff};
pub use document::{Document, Format};
pub use edits::{Edit, WordChange};
pub use error::{Error, Result};
pub use json::SectionTable;
pub use merge::{Choice, Conflict, ConflictKind, Merge, Take, merge};
pub use redraft::{Draft, Redraft, redraft};
pub use revision::Revision;
pub use section::{Section, SectionId};
