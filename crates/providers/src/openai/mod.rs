//! OpenAI's wire format: the bodies of requests and responses, and the events of a stream.

mod chat_output;
mod completion;
mod content;
mod decoder;
mod encoder;
mod error;
mod fit;
mod form;
mod models;
mod request;
mod stream;
mod unsupported;
mod wire;

pub(crate) use chat_output::DecodedChat;
pub use chat_output::{ChatOutput, RequestedToolCall, StreamEnd, StreamEvent};
pub(crate) use completion::assemble_chunks;
pub(crate) use content::{arguments_text, content_parts};
pub(crate) use decoder::ChatDecoder;
pub(crate) use encoder::{ChatEncoder, finish_reason, usage_json};
pub(crate) use error::error_from;
pub(crate) use fit::effort_of;
pub use form::Form;
pub(crate) use models::model_ids;
pub use request::{OutputLimits, RequestEnvelope};
pub(crate) use stream::reported;
pub(crate) use wire::{OPENAI, OpenAi};
