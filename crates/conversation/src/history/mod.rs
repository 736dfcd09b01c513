//! Histories as JSON Lines: existing ones come in, and everything goes out, in one format.
//!
//! A line is a session, a message of one of the sessions before it, or the end. docs/FORMATS.md has the fields.

mod export;
mod import;
mod line;
mod lines;
pub mod routes;
mod rows;
mod share;
mod writer;

pub use export::Export;
pub use import::{ImportMode, ImportOptions, Imported};
pub(crate) use share::Imports;
