//! What a call used, as the provider counts.

use serde::{Deserialize, Serialize};

/// Tokens of a call. Field names as in OpenAI's `usage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// Tokens read that the provider had in its cache.
    pub cached_tokens: u64,
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            #[serde(default)]
            prompt_tokens: Option<u64>,
            #[serde(default)]
            completion_tokens: Option<u64>,
            #[serde(default)]
            total_tokens: Option<u64>,
            #[serde(default)]
            prompt_tokens_details: Option<Details>,
        }
        #[derive(Deserialize)]
        struct Details {
            #[serde(default)]
            cached_tokens: Option<u64>,
        }
        // Loam's own records are binary, and hold the four numbers as they are above
        if !deserializer.is_human_readable() {
            let (prompt_tokens, completion_tokens, total_tokens, cached_tokens) =
                Deserialize::deserialize(deserializer)?;
            return Ok(Self { prompt_tokens, completion_tokens, total_tokens, cached_tokens });
        }
        let wire = Wire::deserialize(deserializer)?;
        let prompt_tokens = wire.prompt_tokens.unwrap_or(0);
        let completion_tokens = wire.completion_tokens.unwrap_or(0);
        Ok(Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: wire.total_tokens.unwrap_or(prompt_tokens + completion_tokens),
            cached_tokens: wire.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
        })
    }
}
