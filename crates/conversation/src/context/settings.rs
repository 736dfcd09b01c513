//! How much of a conversation is sent to a model.

use std::collections::BTreeMap;

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What happens to messages that don't fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// The oldest are dropped.
    #[default]
    DropOldest,
    /// The oldest are replaced by a summary that a model writes.
    Summarize,
}

/// How much of a conversation is sent to a model, unless the session overrides it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ContextSettings {
    /// Maximum number of tokens of a request; `None`: as the model's context window allows.
    pub max_tokens: Option<u64>,
    /// Maximum number of messages of a request.
    pub max_messages: Option<u64>,
    /// What happens to messages that don't fit.
    pub overflow: Overflow,
    /// Number of recent messages that are never summarized, as long as they fit.
    pub keep_last: u64,
    /// Model that writes summaries; `None`: the model that answers.
    pub summary_model: Option<String>,
    /// Context window in tokens, by model name pattern; `*` matches any text. The longest matching pattern
    /// wins.
    pub windows: BTreeMap<String, u64>,
    /// Context window in tokens of models that no pattern matches.
    pub default_window: u64,
    /// Tokens reserved for an answer if the request sets no limit.
    pub answer_tokens: u64,
}

/// Approximate context windows of current models, as published by their providers.
const WINDOWS: [(&str, u64); 14] = [
    ("*gpt-4o*", 128_000),
    ("*gpt-4.1*", 1_000_000),
    ("*gpt-5*", 400_000),
    ("*o1*", 200_000),
    ("*o3*", 200_000),
    ("*o4*", 200_000),
    ("*claude*", 200_000),
    ("*gemini*", 1_000_000),
    ("*deepseek*", 64_000),
    ("*qwen*", 32_000),
    ("*qwen-max*", 32_000),
    ("*qwen-plus*", 128_000),
    ("*mistral*", 32_000),
    ("*llama-3*", 128_000),
];

impl Default for ContextSettings {
    fn default() -> Self {
        Self {
            max_tokens: None,
            max_messages: None,
            overflow: Overflow::DropOldest,
            keep_last: 6,
            summary_model: None,
            windows: WINDOWS.map(|(name, tokens)| (name.to_owned(), tokens)).into(),
            default_window: 16_000,
            answer_tokens: 1_024,
        }
    }
}

/// The key of [`ContextSettings`].
pub const CONTEXT: ConfigKey<ContextSettings> = ConfigKey::new(
    "conversation.context",
    "conversation",
    "how much of a conversation is sent to a model, unless the session overrides it: maximum tokens and messages, what \
     happens to the rest (drop_oldest, summarize), and the context windows of models by name",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_tokens": { "type": ["integer", "null"], "minimum": 1, "maximum": 10_000_000 },
                "max_messages": { "type": ["integer", "null"], "minimum": 1, "maximum": 10_000 },
                "overflow": { "enum": ["drop_oldest", "summarize"] },
                "keep_last": { "type": "integer", "minimum": 0, "maximum": 1_000 },
                "summary_model": { "type": ["string", "null"], "minLength": 1, "maxLength": 300 },
                "windows": {
                    "type": "object", "maxProperties": 500,
                    "additionalProperties": { "type": "integer", "minimum": 256, "maximum": 10_000_000 }
                },
                "default_window": { "type": "integer", "minimum": 256, "maximum": 10_000_000 },
                "answer_tokens": { "type": "integer", "minimum": 0, "maximum": 1_000_000 }
            }
        })
    },
)
.per_tenant();

/// A session's overrides, in its setting `context`.
#[derive(Debug, Default, Deserialize)]
struct SessionOverrides {
    max_tokens: Option<u64>,
    max_messages: Option<u64>,
    overflow: Option<Overflow>,
    keep_last: Option<u64>,
    summary_model: Option<String>,
}

impl ContextSettings {
    /// Applies a session's overrides. An unreadable value is ignored: a session must not fail because of an
    /// old setting.
    pub(crate) fn with(mut self, session: Option<&Value>) -> Self {
        let overrides =
            session.and_then(|value| SessionOverrides::deserialize(value).ok()).unwrap_or_default();
        self.max_tokens = overrides.max_tokens.or(self.max_tokens);
        self.max_messages = overrides.max_messages.or(self.max_messages);
        self.overflow = overrides.overflow.unwrap_or(self.overflow);
        self.keep_last = overrides.keep_last.unwrap_or(self.keep_last);
        self.summary_model = overrides.summary_model.or(self.summary_model);
        self
    }

    /// The context window of a model in tokens.
    pub(crate) fn window(&self, model: &str) -> u64 {
        let model = model.to_ascii_lowercase();
        let matching =
            self.windows.iter().filter(|(name, _)| matches_pattern(&name.to_ascii_lowercase(), &model));
        let longest = matching.max_by_key(|(name, _)| name.len());
        longest.map_or(self.default_window, |(_, tokens)| *tokens)
    }

    /// Maximum tokens of a prompt that leaves this much for the answer.
    pub(crate) fn prompt_budget(&self, model: &str, answer: Option<u64>) -> u64 {
        let budget = self.window(model).saturating_sub(answer.unwrap_or(self.answer_tokens));
        self.max_tokens.map_or(budget, |max| budget.min(max))
    }
}

/// Whether a pattern with `*` as a wildcard matches a name.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        (rest, last) = (&rest[at + part.len()..], Some(part));
    }
    match last {
        // A pattern without a wildcard must match the whole name.
        None => rest.is_empty(),
        Some(last) => last.is_empty() || name.ends_with(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_matching_pattern_sets_the_window() {
        let settings = ContextSettings::default();
        assert_eq!(settings.window("openai/gpt-4o-mini"), 128_000);
        assert_eq!(settings.window("qwen/Qwen-Plus-latest"), 128_000);
        assert_eq!(settings.window("my-route"), 16_000);
        assert_eq!(settings.prompt_budget("my-route", None), 16_000 - 1_024);
        assert_eq!(settings.prompt_budget("my-route", Some(20_000)), 0);
    }

    #[test]
    fn a_star_matches_any_text() {
        for (pattern, name, fit) in [
            ("a*c", "abc", true),
            ("a*c", "ab", false),
            ("*", "x", true),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*b*", "abc", true),
            ("a*b*a", "aba", true),
            ("*-mini", "gpt-mini-x", false),
        ] {
            assert_eq!(matches_pattern(pattern, name), fit, "{pattern} {name}");
        }
    }

    #[test]
    fn a_session_overrides_the_settings() {
        let overrides = json!({"max_tokens": 500, "overflow": "summarize"});
        let settings = ContextSettings::default().with(Some(&overrides));
        assert_eq!(
            (settings.max_tokens, settings.overflow, settings.keep_last),
            (Some(500), Overflow::Summarize, 6)
        );
        assert_eq!(settings.prompt_budget("my-route", None), 500);
        let invalid = ContextSettings::default().with(Some(&json!({"max_tokens": "many"})));
        assert_eq!(invalid.max_tokens, None);
    }
}
