//! The kind `deepseek`.
//!
//! From DeepSeek's documentation (api-docs.deepseek.com), pages "Create Chat Completion", "Thinking Mode", "Context
//! Caching", "Error Codes" and "Rate Limit":
//! - The address has no `/v1`. Models read text alone; an answer can be any JSON (`json_object`), not after a schema.
//!   There is neither an embeddings nor a responses API.
//! - `thinking` is `{"type": "enabled" | "disabled"}`, with `reasoning_effort` for how much; thoughts come as
//!   `reasoning_content`, and those that led to a tool call must be handed in again with it.
//! - `usage` has `prompt_cache_hit_tokens` and `prompt_cache_miss_tokens`, which add up to `prompt_tokens`.
//! - While a request waits, empty lines or comments (`: keep-alive`) come. Both pass.
//! - 402 says that the account has no balance, 422 that a parameter is wrong.

use serde_json::{Map, Value, json};

use crate::openai::{OpenAi, error_from};
use crate::{Feature, Ways};

pub(crate) static DEEPSEEK: OpenAi = OpenAi {
    ways: Ways { kind: "deepseek", max_tokens: "max_tokens", keeps_thoughts: true, think },
    cannot: &[
        Feature::Embeddings,
        Feature::Responses,
        Feature::Images,
        Feature::Documents,
        Feature::JsonSchema,
        Feature::Choices,
        Feature::Logprobs,
    ],
    error: error_from,
};

fn think(thinking: Option<&Value>, effort: Option<&str>, chat: &mut Map<String, Value>) {
    if let Some(thinking) = thinking {
        let kind = if thinking["type"] == "disabled" { "disabled" } else { "enabled" };
        chat.insert("thinking".to_owned(), json!({"type": kind}));
    }
    if let Some(effort) = effort {
        chat.insert("reasoning_effort".to_owned(), effort.into());
    }
}
