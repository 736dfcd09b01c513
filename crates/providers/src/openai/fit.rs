//! Changes a translated request as OpenAI's models need it, and the servers that offer their like.
//!
//! OpenAI's reasoning models require the limit as `max_completion_tokens`, and refuse stop sequences and, while they
//! reason, sampling parameters; other models refuse `reasoning_effort`. Since GPT-5.4 chat completions with tools must
//! turn reasoning off.

use serde_json::{Map, Value};

use crate::model_names::{openai_reasoning, takes_effort};
use crate::omitted::Omitted;
use crate::{Config, ReasoningEffort};

/// OpenAI's own base URL.
pub(super) const OWN: &str = "https://api.openai.com/";
/// The first version that accepts sampling parameters while it doesn't reason.
const SAMPLES_WITHOUT_REASONING: (u32, u32) = (5, 1);
/// The first version with the effort `xhigh`.
const XHIGH: (u32, u32) = (5, 2);
/// The first version that reasons with tools only in responses.
const NO_REASONING_WITH_TOOLS: (u32, u32) = (5, 4);

/// Forwards the effort that the client chose, but not that reasoning is off: most models reject that.
pub(super) fn apply_reasoning(thinking: Option<&Value>, effort: Option<&str>, chat: &mut Map<String, Value>) {
    if let Some(effort) = effort.or_else(|| thinking.and_then(effort_of)) {
        // the levels have the same names, except the highest
        let effort = if effort == "max" { "xhigh" } else { effort };
        chat.insert("reasoning_effort".to_owned(), effort.into());
    }
}

/// The effort of a token budget.
pub(crate) fn effort_of(thinking: &Value) -> Option<&'static str> {
    thinking["budget_tokens"].as_u64().map(|budget| match budget {
        0..=4096 => "low",
        4097..=16_384 => "medium",
        _ => "high",
    })
}

impl ReasoningEffort {
    /// Removes the effort if the model doesn't take it.
    pub(crate) fn apply(
        self,
        takes_effort: fn(&str) -> bool,
        model: &str,
        chat: &mut Map<String, Value>,
        omitted: &mut Omitted,
    ) {
        let takes = match self {
            Self::Auto => takes_effort(model),
            Self::Always => true,
            Self::Never => false,
        };
        if !takes {
            omitted.remove(chat, "reasoning_effort", format!("`{model}` doesn't take it"));
        }
    }
}

pub(super) fn fit(config: &Config, model: &str, chat: &mut Map<String, Value>, omitted: &mut Omitted) {
    let (is_own, version) = (config.base_url.starts_with(OWN), openai_reasoning(model));
    if (is_own || version.is_some())
        && let Some(limit) = chat.remove("max_tokens")
    {
        chat.insert("max_completion_tokens".to_owned(), limit);
    }
    if is_own {
        omitted.remove(chat, "top_k", "OpenAI doesn't take it");
    }
    config.reasoning_effort.apply(takes_effort, model, chat, omitted);
    let effort = chat.get("reasoning_effort").and_then(Value::as_str).map(str::to_owned);
    if effort.as_deref() == Some("xhigh") && version.is_none_or(|version| version < XHIGH) {
        chat.insert("reasoning_effort".to_owned(), "high".into());
    }
    let Some(version) = version else { return };
    let turns_off = version >= NO_REASONING_WITH_TOOLS && chat.contains_key("tools");
    if turns_off {
        if effort.is_some_and(|effort| effort != "none") {
            omitted.note("reasoning_effort", format!("with tools, `{model}` takes it only in responses"));
        }
        chat.insert("reasoning_effort".to_owned(), "none".into());
    }
    let reasons = chat.get("reasoning_effort").is_some_and(|effort| effort != "none");
    if reasons || version < SAMPLES_WITHOUT_REASONING {
        for field in ["temperature", "top_p"] {
            if chat.get(field).is_some_and(|value| value.as_f64() != Some(1.0)) {
                omitted.remove(chat, field, format!("`{model}` doesn't take it while it reasons"));
            }
        }
    }
    omitted.remove(chat, "stop", format!("`{model}` doesn't take it"));
}
