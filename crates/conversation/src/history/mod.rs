//! Import and export of histories as JSON Lines, in one format.
//!
//! A line is a session, a message of an earlier session line, or the end line. docs/FORMATS.md lists the
//! fields.

mod export;
mod import;
mod limits;
mod line;
mod lines;
pub mod routes;
mod rows;
mod writer;

pub use export::Export;
pub use import::{ImportMode, ImportOptions, Imported};
pub(crate) use limits::ImportLimits;
