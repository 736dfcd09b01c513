//! Anthropic's wire format, as providers and as clients speak it.
//!
//! Source: Anthropic's API reference (platform.claude.com/docs/en/api/messages), and its pages on streaming
//! (/docs/en/build-with-claude/streaming), tool use, vision, extended and adaptive thinking, effort, structured
//! outputs, prompt caching and errors (/docs/en/api/errors).

mod blocks;
mod chat_messages;
mod decoder;
mod encoder;
mod error;
mod from_chat;
mod pass_through;
mod reasoning;
mod sampling;
mod to_chat;
mod tool_ids;
mod turns;
mod usage;
mod wire;

pub(crate) use encoder::MessagesEncoder;
pub use error::anthropic_error;
pub(crate) use to_chat::{ChatDialect, to_chat};
pub(crate) use wire::Anthropic;
