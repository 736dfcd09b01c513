//! Token usage of a call, as the provider reports it.

use serde::{Deserialize, Serialize};

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
            // DeepSeek's older name for the same number
            #[serde(default)]
            prompt_cache_hit_tokens: Option<u64>,
        }
        #[derive(Deserialize)]
        struct Details {
            #[serde(default)]
            cached_tokens: Option<u64>,
        }
        // Loam's stored records are binary, and hold the five numbers in the order above
        if !deserializer.is_human_readable() {
            let (prompt_tokens, completion_tokens, total_tokens, cached_tokens, cache_write_tokens) =
                Deserialize::deserialize(deserializer)?;
            return Ok(Self {
                prompt_tokens,
                completion_tokens,
                total_tokens,
                cached_tokens,
                cache_write_tokens,
            });
        }
        let wire = Wire::deserialize(deserializer)?;
        let prompt_tokens = wire.prompt_tokens.unwrap_or(0);
        let completion_tokens = wire.completion_tokens.unwrap_or(0);
        let cached = wire.prompt_tokens_details.and_then(|details| details.cached_tokens);
        Ok(Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: wire.total_tokens.unwrap_or(prompt_tokens.saturating_add(completion_tokens)),
            cached_tokens: cached.or(wire.prompt_cache_hit_tokens).unwrap_or(0),
            cache_write_tokens: 0,
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
        }
    }
}
