//! Translates OpenAI's `reasoning_effort` to Anthropic's fields.
//!
//! Models since Claude 4.6 accept `thinking: {"type": "adaptive"}` with `output_config.effort`, and newer ones reject
//! a budget; earlier models accept only a token budget (/docs/en/build-with-claude/adaptive-thinking, /effort,
//! /extended-thinking). The provider's configuration, `thinking`, says which its models need.

use serde_json::{Map, Value, json};

use crate::Thinking;

/// The token budget of an effort, for models that need one. The minimum is 1024.
fn budget(effort: &str) -> u64 {
    match effort {
        "low" => 2048,
        "medium" => 8192,
        "high" => 16_384,
        _ => 32_768,
    }
}

/// Adds an effort to a request. `forced`: a tool must be called, which excludes thinking. `mid_call`: the request
/// holds results of a tool call, where a budget requires thinking blocks that a chat completion doesn't have.
pub(crate) fn apply_reasoning_effort(
    thinking: Thinking,
    effort: &str,
    forced: bool,
    mid_call: bool,
    request: &mut Map<String, Value>,
) {
    let thinks = !matches!(effort, "none" | "minimal") && !forced;
    match thinking {
        Thinking::Off => {}
        Thinking::Adaptive => {
            if effort != "none" {
                let level = if effort == "minimal" { "low" } else { effort };
                let config = request.entry("output_config").or_insert_with(|| json!({}));
                config["effort"] = level.into();
            }
            if thinks {
                // newer models omit their reasoning by default
                request.insert("thinking".to_owned(), json!({"type": "adaptive", "display": "summarized"}));
            }
        }
        Thinking::Budget => {
            if thinks && !mid_call {
                let budget = budget(effort);
                request.insert("thinking".to_owned(), json!({"type": "enabled", "budget_tokens": budget}));
                // the limit covers reasoning and text together, and must be greater than the budget
                let response = request.get("max_tokens").and_then(Value::as_u64).unwrap_or(0);
                request.insert("max_tokens".to_owned(), response.saturating_add(budget).into());
            }
        }
    }
}
