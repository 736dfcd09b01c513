//! What a call used, as the provider counts.

use serde::{Deserialize, Serialize};

/// Tokens of a call. Field names as in OpenAI's `usage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Tokens read, those from and for the provider's cache included.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// Tokens read that the provider had in its cache.
    pub cached_tokens: u64,
    /// Tokens read that the provider put into its cache, where that has a price of its own.
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
            // DeepSeek's name for the same number, from before it had the details too
            #[serde(default)]
            prompt_cache_hit_tokens: Option<u64>,
        }
        #[derive(Deserialize)]
        struct Details {
            #[serde(default)]
            cached_tokens: Option<u64>,
        }
        // Loam's own records are binary, and hold the five numbers as they are above
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
    /// Of tokens read and written, with those of the cache among the read ones.
    pub(crate) fn new(read: u64, written: u64, cached: u64, cache_write: u64) -> Self {
        Self {
            prompt_tokens: read,
            completion_tokens: written,
            total_tokens: read.saturating_add(written),
            cached_tokens: cached,
            cache_write_tokens: cache_write,
        }
    }
}
