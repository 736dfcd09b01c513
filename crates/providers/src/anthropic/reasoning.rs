//! Translates OpenAI's `reasoning_effort` to Anthropic's fields.
//!
//! Models since Claude 4.6 accept `thinking: {"type": "adaptive"}` with `output_config.effort`, and newer ones reject
//! a budget; earlier models accept only a token budget (/docs/en/build-with-claude/adaptive-thinking, /effort,
//! /extended-thinking), and those before Claude 3.7 don't think. The provider's configuration, `thinking`, may say which
//! its models need.

use serde_json::{Map, Value, json};

use crate::Thinking;
use crate::model_names::claude_version;
use crate::omitted::Omitted;

/// The token budget of an effort, for models that need one. The minimum is 1024.
fn budget(effort: &str) -> u64 {
    match effort {
        "low" => 2048,
        "medium" => 8192,
        "high" => 16_384,
        _ => 32_768,
    }
}

/// The first version that thinks, that thinks adaptively, and that has the effort `xhigh`.
const THINKS: (u32, u32) = (3, 7);
const ADAPTIVE: (u32, u32) = (4, 6);
const XHIGH: (u32, u32) = (4, 7);

impl Thinking {
    /// How a model thinks. A name that isn't Claude's, or has no version, is one of a new model.
    fn of(self, model: &str) -> Self {
        match (self, claude_version(model)) {
            (Self::Auto, Some(version)) if version < THINKS => Self::Off,
            (Self::Auto, Some(version)) if version < ADAPTIVE => Self::Budget,
            (Self::Auto, _) => Self::Adaptive,
            (configured, _) => configured,
        }
    }
}

/// The reasoning that a chat completion requests.
pub(super) struct Reasoning<'a> {
    pub(super) effort: &'a str,
    /// A tool must be called, which excludes thinking.
    pub(super) forced: bool,
    /// The request holds results of a tool call, where a budget requires thinking blocks that a chat completion doesn't
    /// have.
    pub(super) mid_call: bool,
}

/// Adds the reasoning to a request.
pub(super) fn apply_reasoning_effort(
    thinking: Thinking,
    model: &str,
    reasoning: &Reasoning<'_>,
    request: &mut Map<String, Value>,
    omitted: &mut Omitted,
) {
    let Reasoning { effort, forced, mid_call } = *reasoning;
    let thinks = !matches!(effort, "none" | "minimal") && !forced;
    match thinking.of(model) {
        Thinking::Off => {
            if thinks {
                omitted.note("reasoning_effort", format!("`{model}` doesn't take it"));
            }
        }
        Thinking::Auto | Thinking::Adaptive => {
            if effort != "none" {
                let has_xhigh = claude_version(model).is_none_or(|version| version >= XHIGH);
                let level = match effort {
                    "minimal" => "low",
                    "xhigh" if !has_xhigh => "high",
                    effort => effort,
                };
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
