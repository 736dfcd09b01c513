//! The kind `deepseek`.
//!
//! Source: DeepSeek's documentation (api-docs.deepseek.com), pages "Create Chat Completion", "Thinking Mode",
//! "Context Caching", "Error Codes" and "Rate Limit":
//! - The base URL has no `/v1`. Models accept text only; a response can be free-form JSON (`json_object`), but not
//!   follow a schema. There is neither an embeddings nor a responses API: responses are chat completions. Text
//!   completions ("FIM Completion") exist at the base URL `https://api.deepseek.com/beta` only; elsewhere they are chat
//!   completions too.
//! - `thinking` is `{"type": "enabled" | "disabled"}`, with `reasoning_effort` for the amount; reasoning is
//!   returned as `reasoning_content`, and the reasoning that led to a tool call must be sent back with it.
//! - `usage` has `prompt_cache_hit_tokens` and `prompt_cache_miss_tokens`, which add up to `prompt_tokens`.
//! - While a request is queued, empty lines or comments (`: keep-alive`) are sent. Both are forwarded.
//! - 402 means that the account has no balance, 422 that a parameter is wrong.

use serde_json::{Map, Value, json};

use crate::openai::{OpenAi, error_from};
use crate::{ChatDialect, Feature};

pub(crate) static DEEPSEEK: OpenAi = OpenAi {
    dialect: ChatDialect {
        kind: "deepseek",
        max_tokens: "max_tokens",
        resends_reasoning: true,
        apply_reasoning,
    },
    unsupported: &[
        Feature::Embeddings,
        Feature::Speech,
        Feature::Transcriptions,
        Feature::ImageGeneration,
        Feature::Moderations,
        Feature::Rerank,
        Feature::Images,
        Feature::Documents,
        Feature::JsonSchema,
        Feature::Choices,
        Feature::Logprobs,
    ],
    has_responses: false,
    has_completions: |config| config.base_url.trim_end_matches('/').ends_with("/beta"),
    error: error_from,
    fit: |_, _, _, _| {},
};

fn apply_reasoning(thinking: Option<&Value>, effort: Option<&str>, chat: &mut Map<String, Value>) {
    if let Some(thinking) = thinking {
        let kind = if thinking["type"] == "disabled" { "disabled" } else { "enabled" };
        chat.insert("thinking".to_owned(), json!({"type": kind}));
    }
    if let Some(effort) = effort.filter(|effort| *effort != "none") {
        chat.insert("reasoning_effort".to_owned(), effort.into());
    }
}
