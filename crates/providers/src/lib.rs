//! The wire formats of model providers and of their clients, without database or network.
//!
//! Belongs here: the schema of a provider's configuration, encoding of its requests, decoding of its responses, and
//! translation between formats. Does not belong here: choosing a provider, sending, accounting.

mod anthropic;
mod assemble;
mod body;
mod chat;
mod completions;
mod count;
mod deepseek;
mod dify;
mod endpoint;
mod feature;
mod kinds;
mod model_names;
mod ollama;
mod omitted;
pub mod openai;
mod pass_through_endpoints;
mod quantity;
mod qwen;
mod response_error;
mod response_id;
mod responses;
mod sse;
mod text;
mod tokens;
mod translate;
mod usage;
mod wire;

pub use anthropic::anthropic_error;
pub use assemble::assemble;
pub use chat::{ChatMessage, ChatRole, Finish, parse_request, parse_response};
pub use count::count_prompt;
pub use endpoint::Endpoint;
pub use feature::Feature;
pub use kinds::{Config, KINDS, KindInfo, ReasoningEffort, ResponsesApi, Thinking, kind};
pub use pass_through_endpoints::bytes_reader;
pub use quantity::{Quantity, Unit};
pub use response_error::{ReportedError, ResponseError};
pub use response_id::response_id;
pub use responses::{call_of_response, continue_response, previous_response_id, previous_response_not_found};
pub use sse::holds_event;
pub use text::{completion_text, prompt_text};
pub use tokens::count_tokens;
pub use usage::Usage;
pub use wire::{BETAS, CompleteResponse, Forward, Outgoing, ProviderRequest, Reader, Wire};

pub(crate) use anthropic::ChatDialect;
