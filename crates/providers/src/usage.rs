//! Token usage of a call, as the provider reports it.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

/// Token usage of a call. Field names as in OpenAI's `usage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Prompt tokens, including those read from and written to the provider's cache.
    pub prompt_tokens: u64,
    /// Completion tokens.
    pub completion_tokens: u64,
    /// Prompt and completion tokens.
    pub total_tokens: u64,
    /// Prompt tokens read from the provider's cache.
    pub cached_tokens: u64,
    /// Prompt tokens written to the provider's cache, where those have a price of their own.
    pub cache_write_tokens: u64,
    /// Completion tokens of reasoning. Shown to clients, but not stored: they cost as much as the others.
    pub reasoning_tokens: u64,
}

/// A value of an expected shape; a value of any other shape counts as absent, so that it doesn't hide its neighbours.
#[derive(Deserialize)]
#[serde(untagged)]
enum AnyShape<T> {
    Expected(T),
    Other(IgnoredAny),
}

/// Reads a field that is none if its value has another shape.
pub(crate) fn lenient<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(match Option::<AnyShape<T>>::deserialize(deserializer)? {
        Some(AnyShape::Expected(value)) => Some(value),
        Some(AnyShape::Other(_)) | None => None,
    })
}

/// Reads a number of tokens: `26`, `26.0` or `"26"`.
pub(crate) fn tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Integer(u64),
        Float(f64),
        Text(String),
    }
    let number = lenient::<Number, D>(deserializer)?;
    let float = match number {
        None => return Ok(None),
        Some(Number::Integer(number)) => return Ok(Some(number)),
        Some(Number::Float(number)) => Some(number),
        Some(Number::Text(digits)) => digits.trim().parse::<f64>().ok(),
    };
    // a negative number, and one that isn't a number, become none
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in the range of exact integers"
    )]
    Ok(float.filter(|number| (0.0..=9e15).contains(number)).map(|number| number.round() as u64))
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default, deserialize_with = "tokens")]
            prompt_tokens: Option<u64>,
            #[serde(default, deserialize_with = "tokens")]
            completion_tokens: Option<u64>,
            #[serde(default, deserialize_with = "tokens")]
            total_tokens: Option<u64>,
            #[serde(default, deserialize_with = "lenient")]
            prompt_tokens_details: Option<Details>,
            // DeepSeek's older name for the same number
            #[serde(default, deserialize_with = "tokens")]
            prompt_cache_hit_tokens: Option<u64>,
            #[serde(default, deserialize_with = "lenient")]
            completion_tokens_details: Option<CompletionDetails>,
        }
        #[derive(Deserialize)]
        struct CompletionDetails {
            #[serde(default, deserialize_with = "tokens")]
            reasoning_tokens: Option<u64>,
        }
        #[derive(Default, Deserialize)]
        struct Details {
            #[serde(default, deserialize_with = "tokens")]
            cached_tokens: Option<u64>,
            // of another Loam, and of servers in front of Anthropic's models
            #[serde(default, deserialize_with = "tokens")]
            cache_write_tokens: Option<u64>,
        }
        let wire = Wire::deserialize(deserializer)?;
        if (wire.prompt_tokens, wire.completion_tokens, wire.total_tokens) == (None, None, None) {
            return Err(serde::de::Error::custom("it has no number of tokens"));
        }
        let prompt_tokens = wire.prompt_tokens.unwrap_or(0);
        let completion_tokens = wire.completion_tokens.unwrap_or(0);
        let details = wire.prompt_tokens_details.unwrap_or_default();
        Ok(Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: wire.total_tokens.unwrap_or(prompt_tokens.saturating_add(completion_tokens)),
            cached_tokens: details.cached_tokens.or(wire.prompt_cache_hit_tokens).unwrap_or(0),
            cache_write_tokens: details.cache_write_tokens.unwrap_or(0),
            reasoning_tokens: wire
                .completion_tokens_details
                .and_then(|details| details.reasoning_tokens)
                .unwrap_or(0),
        })
    }
}

impl Usage {
    /// From prompt and completion tokens; `cached` and `cache_write` are part of `prompt`.
    pub(crate) fn new(prompt: u64, completion: u64, cached: u64, cache_write: u64) -> Self {
        Self {
            prompt_tokens: prompt,
            completion_tokens: completion,
            total_tokens: prompt.saturating_add(completion),
            cached_tokens: cached,
            cache_write_tokens: cache_write,
            reasoning_tokens: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_unusable_number_does_not_hide_the_others() {
        for (usage, expected) in [
            (json!({"prompt_tokens": 26.0, "completion_tokens": "7"}), Usage::new(26, 7, 0, 0)),
            (
                json!({"prompt_tokens": 26, "completion_tokens": null, "total_tokens": ""}),
                Usage::new(26, 0, 0, 0),
            ),
            (
                json!({"prompt_tokens": 26, "completion_tokens": -1, "prompt_tokens_details": []}),
                Usage::new(26, 0, 0, 0),
            ),
            (
                json!({"prompt_tokens": 26, "prompt_tokens_details": "", "prompt_cache_hit_tokens": 4.0}),
                Usage::new(26, 0, 4, 0),
            ),
        ] {
            let text = usage.to_string();
            assert_eq!(serde_json::from_str::<Usage>(&text).expect("usage"), expected, "{usage}");
            assert_eq!(serde_json::from_value::<Usage>(usage).expect("usage"), expected, "{text}");
        }
        for usage in [json!({}), json!([]), json!({"prompt_tokens": {"text": 1}, "completion_tokens": [2]})] {
            assert!(serde_json::from_value::<Usage>(usage.clone()).is_err(), "{usage} is no usage");
        }
    }
}
