//! The endpoints that are passed through to the providers that have them: speech, transcriptions, images, moderations,
//! rankings. [`Endpoint`](crate::Endpoint) has what differs between them; here is how their responses are read.
//!
//! Source: OpenAI's API reference, "Audio", "Images" and "Moderations" (platform.openai.com/docs/api-reference), with
//! the events `speech.audio.done`, `transcript.text.done` and `image_generation.completed` of streams; Jina's
//! (jina.ai/reranker) and Cohere's (docs.cohere.com/reference/rerank) for rankings.

mod bytes;
mod counted;
mod inspector;

pub use bytes::bytes_reader;
pub(crate) use counted::{asks_for_events, requested};
pub(crate) use inspector::EndpointInspector;
