//! What a model is told: the session's prompt, and as much of the conversation as it has room for.

mod build;
mod path;
pub(crate) mod settings;
pub mod summaries;
mod summary;
mod units;

pub(crate) use build::Asking;
