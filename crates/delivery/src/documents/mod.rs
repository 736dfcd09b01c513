//! What all kinds of documents have in common: their status, their versions, and how a change is saved.

mod document;
mod status;
mod store;

pub(crate) use document::{Content, Document, Head, Save, check_title, first_line, merged};
pub(crate) use status::{DocumentStatus, DocumentTransition};
pub(crate) use store::Current;
