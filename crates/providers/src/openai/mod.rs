//! OpenAI's wire format: the bodies of requests and answers, and the events of a stream.

mod answer;
mod error;
mod models;
mod request;
mod stream;
mod wire;

pub use answer::{assemble, completion_text, usage_of};
pub use error::error_from;
pub use models::model_ids;
pub use request::{Head, prompt_text};
pub use stream::Events;
pub use wire::OpenAi;
