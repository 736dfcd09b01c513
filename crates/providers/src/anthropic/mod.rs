//! Anthropic's wire format, as providers and as clients speak it.
//!
//! From Anthropic's API reference (platform.claude.com/docs/en/api/messages), and from its pages on streaming
//! (/docs/en/build-with-claude/streaming), tool use, vision, extended and adaptive thinking, effort, structured outputs,
//! prompt caching and errors (/docs/en/api/errors).

mod error;
mod from_chat;
mod pass;
mod sink;
mod source;
mod think;
mod to_chat;
mod usage;
mod wire;

pub use error::anthropic_error;
pub(crate) use sink::MessagesSink;
pub(crate) use to_chat::{Ways, to_chat};
pub(crate) use wire::Anthropic;
