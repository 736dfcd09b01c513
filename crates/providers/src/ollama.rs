//! The kind `ollama`, by its OpenAI-compatible API.
//!
//! From Ollama's documentation, page "OpenAI compatibility" (docs.ollama.com/api/openai-compatibility), and its source,
//! `openai/openai.go`:
//! - The API is below `/v1`, and a key is ignored by a server of one's own; ollama.com wants one.
//! - `stream_options.include_usage` is obeyed: usage comes in a chunk of its own, without choices. There are no cached
//!   tokens.
//! - Thoughts come as `reasoning`, and `reasoning_effort` says how much of them, `none` for not at all.
//! - A tool call comes in one chunk with all its arguments; older versions give every call the index 0.
//! - `tool_choice`, `n` and `logit_bias` are accepted and ignored (ollama/ollama#17921), so they are refused here.
//! - An error is `{"error": {"message", "type", "param", "code"}}`; an unknown model is 404.

use serde_json::{Map, Value};

use crate::openai::{OpenAi, error_from};
use crate::{Feature, Ways};

pub(crate) static OLLAMA: OpenAi = OpenAi {
    ways: Ways { kind: "ollama", max_tokens: "max_tokens", keeps_thoughts: false, think },
    cannot: &[Feature::ToolChoice, Feature::Documents, Feature::Choices, Feature::Logprobs],
    error: error_from,
};

fn think(thinking: Option<&Value>, effort: Option<&str>, chat: &mut Map<String, Value>) {
    let effort = match thinking {
        Some(thinking) if thinking["type"] == "disabled" => Some("none"),
        _ => effort.map(|effort| if effort == "xhigh" { "high" } else { effort }),
    };
    if let Some(effort) = effort {
        chat.insert("reasoning_effort".to_owned(), effort.into());
    }
}
