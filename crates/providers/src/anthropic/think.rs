//! How much a model thinks: OpenAI's `reasoning_effort` as Anthropic's fields.
//!
//! Models since Claude 4.6 take `thinking: {"type": "adaptive"}` with `output_config.effort`, and newer ones refuse a
//! budget; models before take a budget of tokens alone (/docs/en/build-with-claude/adaptive-thinking, /effort,
//! /extended-thinking). Which a provider's models want is a matter of its configuration, `thinking`.

use serde_json::{Map, Value, json};

use crate::Thinking;

/// The budget of an effort, for models that want one. At least 1024 is required.
fn budget(effort: &str) -> u64 {
    match effort {
        "low" => 2048,
        "medium" => 8192,
        "high" => 16_384,
        _ => 32_768,
    }
}

/// Puts an effort into a request. `forced` when a tool must be called, which thinking rules out; `mid_call` when the
/// results of a call are being handed in, where a budget requires thoughts that no chat completion holds.
pub(crate) fn think(
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
                // newer models leave their thoughts out unless asked for
                request.insert("thinking".to_owned(), json!({"type": "adaptive", "display": "summarized"}));
            }
        }
        Thinking::Budget => {
            if thinks && !mid_call {
                let budget = budget(effort);
                request.insert("thinking".to_owned(), json!({"type": "enabled", "budget_tokens": budget}));
                // the limit holds for thoughts and answer together, and must be greater than the budget
                let answer = request.get("max_tokens").and_then(Value::as_u64).unwrap_or(0);
                request.insert("max_tokens".to_owned(), answer.saturating_add(budget).into());
            }
        }
    }
}
