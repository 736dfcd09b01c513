//! The kind `ollama`, which uses Ollama's OpenAI-compatible API.
//!
//! Source: Ollama's documentation, page "OpenAI compatibility" (docs.ollama.com/api/openai-compatibility), and its
//! source, `openai/openai.go`:
//! - The API is below `/v1`. A self-hosted server ignores a key; ollama.com requires one.
//! - `stream_options.include_usage` is supported: usage comes in a chunk of its own, without choices. There are no
//!   cached tokens.
//! - Reasoning is returned as `reasoning`; `reasoning_effort` sets its amount, `none` turns it off. Models that don't
//!   think refuse it.
//! - A tool call comes in one chunk with all its arguments; older versions give every call the index 0.
//! - `tool_choice`, `n` and `logit_bias` are accepted and ignored (ollama/ollama#17921), so they are rejected here.
//! - Newer versions have `/images/generations`, `/audio/speech` and `/audio/transcriptions`; older ones answer 404.
//!   There are neither moderations nor rankings.
//! - An error is `{"error": {"message", "type", "param", "code"}}`; an unknown model is 404.

use serde_json::{Map, Value};

use crate::model_names::thinks_at_ollama;
use crate::omitted::Omitted;
use crate::openai::{OpenAi, effort_of, error_from};
use crate::{ChatDialect, Config, Feature};

pub(crate) static OLLAMA: OpenAi = OpenAi {
    dialect: ChatDialect {
        kind: "ollama",
        max_tokens: "max_tokens",
        resends_reasoning: false,
        apply_reasoning,
    },
    unsupported: &[
        Feature::ToolChoice,
        Feature::Documents,
        Feature::Choices,
        Feature::Logprobs,
        Feature::Moderations,
        Feature::Rerank,
    ],
    has_responses: true,
    has_completions: |_| true,
    error: error_from,
    fit,
};

fn apply_reasoning(thinking: Option<&Value>, effort: Option<&str>, chat: &mut Map<String, Value>) {
    let effort = match thinking {
        Some(thinking) if thinking["type"] == "disabled" => Some("none"),
        thinking => effort.or_else(|| thinking.and_then(effort_of)),
    };
    if let Some(effort) = effort {
        let effort = if matches!(effort, "xhigh" | "max") { "high" } else { effort };
        chat.insert("reasoning_effort".to_owned(), effort.into());
    }
}

/// A model that doesn't think only accepts that thinking is off.
fn fit(config: &Config, model: &str, chat: &mut Map<String, Value>, omitted: &mut Omitted) {
    if chat.get("reasoning_effort").is_some_and(|effort| effort != "none") {
        config.reasoning_effort.apply(thinks_at_ollama, model, chat, omitted);
    }
}
