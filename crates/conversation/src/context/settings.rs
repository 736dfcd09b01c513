//! How much of a conversation a model is told.

use std::collections::BTreeMap;

use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What happens to what there is no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// The oldest is left out.
    #[default]
    DropOldest,
    /// The oldest is told in a summary, which a model writes.
    Summarize,
}

/// How much of a conversation a model is told, where a session doesn't say otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ContextSettings {
    /// Tokens that a request may have at most; none: as the model's window allows.
    pub max_tokens: Option<u64>,
    /// Messages of the conversation that a request may have at most.
    pub max_messages: Option<u64>,
    /// What happens to what there is no room for.
    pub overflow: Overflow,
    /// Messages that are never summarised, as long as there is room for them.
    pub keep_last: u64,
    /// Who writes summaries; none: whoever answers.
    pub summary_model: Option<String>,
    /// Tokens that a model can read and write together, by its name; `*` stands for anything. The longest that fits holds.
    pub windows: BTreeMap<String, u64>,
    /// The same for models that no name fits.
    pub default_window: u64,
    /// Tokens that are left for an answer which the request doesn't bound.
    pub answer_tokens: u64,
}

/// What providers say of their current models, in round numbers.
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
    "how much of a conversation a model is told where its session doesn't say: at most so many tokens and messages, what \
     happens to the rest (drop_oldest, summarize), and how much models can read, by their names",
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

/// What a session says of it, in its setting `context`.
#[derive(Debug, Default, Deserialize)]
struct OfSession {
    max_tokens: Option<u64>,
    max_messages: Option<u64>,
    overflow: Option<Overflow>,
    keep_last: Option<u64>,
    summary_model: Option<String>,
}

impl ContextSettings {
    /// With what a session says. What can't be read doesn't count: a session must not fail by an old setting.
    pub(crate) fn with(mut self, session: Option<&Value>) -> Self {
        let said = session.and_then(|value| OfSession::deserialize(value).ok()).unwrap_or_default();
        self.max_tokens = said.max_tokens.or(self.max_tokens);
        self.max_messages = said.max_messages.or(self.max_messages);
        self.overflow = said.overflow.unwrap_or(self.overflow);
        self.keep_last = said.keep_last.unwrap_or(self.keep_last);
        self.summary_model = said.summary_model.or(self.summary_model);
        self
    }

    /// Tokens that a model can read and write together.
    pub(crate) fn window(&self, model: &str) -> u64 {
        let model = model.to_ascii_lowercase();
        let fitting = self.windows.iter().filter(|(name, _)| fits(&name.to_ascii_lowercase(), &model));
        let longest = fitting.max_by_key(|(name, _)| name.len());
        longest.map_or(self.default_window, |(_, tokens)| *tokens)
    }

    /// Tokens that a request may have for an answer of so many.
    pub(crate) fn room(&self, model: &str, answer: Option<u64>) -> u64 {
        let room = self.window(model).saturating_sub(answer.unwrap_or(self.answer_tokens));
        self.max_tokens.map_or(room, |max| room.min(max))
    }
}

/// Whether a name with `*` for anything fits.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        (rest, last) = (&rest[at + part.len()..], Some(part));
    }
    match last {
        // without a star all of it has to be there
        None => rest.is_empty(),
        Some(last) => last.is_empty() || name.ends_with(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_that_fits_says_how_much_a_model_can_read() {
        let settings = ContextSettings::default();
        assert_eq!(settings.window("openai/gpt-4o-mini"), 128_000);
        assert_eq!(settings.window("qwen/Qwen-Plus-latest"), 128_000);
        assert_eq!(settings.window("my-route"), 16_000);
        assert_eq!(settings.room("my-route", None), 16_000 - 1_024);
        assert_eq!(settings.room("my-route", Some(20_000)), 0);
    }

    #[test]
    fn a_star_stands_for_anything() {
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
            assert_eq!(fits(pattern, name), fit, "{pattern} {name}");
        }
    }

    #[test]
    fn what_a_session_says_holds_for_it() {
        let said = json!({"max_tokens": 500, "overflow": "summarize"});
        let settings = ContextSettings::default().with(Some(&said));
        assert_eq!(
            (settings.max_tokens, settings.overflow, settings.keep_last),
            (Some(500), Overflow::Summarize, 6)
        );
        assert_eq!(settings.room("my-route", None), 500);
        let odd = ContextSettings::default().with(Some(&json!({"max_tokens": "many"})));
        assert_eq!(odd.max_tokens, None);
    }
}
