//! Anthropic's `usage`: input tokens, tokens read from the cache and tokens written to it don't overlap. In a stream
//! `message_start` has the input tokens, and `message_delta` the output tokens so far; it may repeat the input
//! tokens.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::Usage;
use crate::usage::tokens;

/// The `usage` object.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct WireUsage {
    #[serde(default, deserialize_with = "tokens")]
    input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "tokens")]
    output_tokens: Option<u64>,
    #[serde(default, deserialize_with = "tokens")]
    cache_read_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "tokens")]
    cache_creation_input_tokens: Option<u64>,
}

impl WireUsage {
    /// Later numbers replace earlier ones; missing numbers stay.
    pub(crate) fn update(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation_input_tokens =
            later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
    }
}

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        let cached = usage.cache_read_input_tokens.unwrap_or(0);
        let cache_write = usage.cache_creation_input_tokens.unwrap_or(0);
        let read = usage.input_tokens.unwrap_or(0).saturating_add(cached).saturating_add(cache_write);
        Self::new(read, usage.output_tokens.unwrap_or(0), cached, cache_write)
    }
}

/// The `usage` object for a client.
pub(crate) fn usage_json(usage: &Usage) -> Value {
    let from_cache = usage.cached_tokens.saturating_add(usage.cache_write_tokens);
    json!({
        "input_tokens": usage.prompt_tokens.saturating_sub(from_cache),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    })
}
