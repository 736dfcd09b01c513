//! OpenAI's wire format: the bodies of requests and answers, and the events of a stream.

mod answer;
mod error;
mod listener;
mod models;
mod refuse;
mod request;
mod responses;
mod sink;
mod source;
mod stream;
mod wire;

pub(crate) use answer::assemble_chunks;
pub(crate) use answer::usage_of;
pub(crate) use error::error_from;
pub use listener::{Ending, Heard, Listener, WantedTool};
pub(crate) use models::model_ids;
pub use request::{Bounds, Head};
pub(crate) use sink::ChatSink;
pub(crate) use source::ChatSource;
pub(crate) use stream::Events;
pub(crate) use wire::{OPENAI, OpenAi};
