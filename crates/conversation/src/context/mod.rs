//! Builds the prompt of a model call: the system prompt, and as much of the conversation as fits.

mod build;
mod path;
mod segments;
pub(crate) mod settings;
pub mod summaries;
mod summary;

pub(crate) use build::PromptParams;
