//! Histories as JSON Lines: existing ones come in, and everything goes out, in one format.
//!
//! A line is a session, a message of one of the sessions before it, or the end. docs/FORMATS.md has the fields.

mod export;
mod import;
mod line;
mod lines;
pub mod routes;
mod rows;
mod writer;

pub use export::Export;
pub(crate) use import::AT_ONCE;
pub use import::{ImportMode, ImportOptions, Imported};
