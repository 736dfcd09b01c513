//! OpenAI's Responses API, as clients speak it: forwarded to servers that have it, and otherwise translated to a chat
//! completion, which is what each kind of provider is sent from then on.
//!
//! Source: the API reference, "Responses" (platform.openai.com/docs/api-reference/responses) and its pages on
//! streaming, function calling, custom tools, reasoning and conversation state; the types of the `openai` package.

mod encoder;
mod input;
mod item;
mod output;
mod pass_through;
mod previous;
mod to_chat;
mod tools;

pub(crate) use encoder::ResponsesEncoder;
pub(crate) use pass_through::Progress;
pub use previous::{call_of_response, continue_response, previous_response_id, previous_response_not_found};
pub(crate) use to_chat::{name_fields, responses_to_chat};

use loam_kernel::LlmCallId;

/// Distinguishes the ids of responses that Loam translated, and so can continue, from those of providers.
const PREFIX: &str = "resp_loam_";

/// The id of the response of a call.
fn response_id(call: LlmCallId) -> String {
    format!("{PREFIX}{}", call.0.simple())
}
