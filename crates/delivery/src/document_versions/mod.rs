//! The versions of documents: each save is one, with its whole content.

pub(crate) mod compare;
pub mod entity;
mod format;
mod routes;
mod store;

pub(crate) use format::{DOCUMENT_VERSION, decode, encode};
pub(crate) use routes::{
    CompareQuery, DocumentVersion, DocumentVersionSummary, RestoreVersion, number, version_routes,
};
pub(crate) use store::{analysis_by_model, content, get, insert, list};
