//! OpenAI's legacy text completions: passed through to servers that have them, and otherwise translated to a chat
//! completion with the prompt as its only message.
//!
//! Source: the API reference, "Completions" (platform.openai.com/docs/api-reference/completions).

mod encoder;
mod to_chat;

pub(crate) use encoder::CompletionsEncoder;
pub(crate) use to_chat::{completions_to_chat, name_prompt};
