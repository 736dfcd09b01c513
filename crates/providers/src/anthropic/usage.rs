//! What Anthropic says of usage: read, read from the cache and written to it are three numbers that don't overlap.
//! In a stream `message_start` has what was read, and `message_delta` what was written so far, and both once more.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::Usage;

/// The numbers as they come.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Counted {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
}

impl Counted {
    /// Later numbers take the place of earlier ones; what is not said again stays.
    pub(crate) fn update(&mut self, later: Self) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.cache_creation_input_tokens =
            later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
    }
}

impl From<Counted> for Usage {
    fn from(counted: Counted) -> Self {
        let cached = counted.cache_read_input_tokens.unwrap_or(0);
        let cache_write = counted.cache_creation_input_tokens.unwrap_or(0);
        let read = counted.input_tokens.unwrap_or(0).saturating_add(cached).saturating_add(cache_write);
        Self::new(read, counted.output_tokens.unwrap_or(0), cached, cache_write)
    }
}

/// The numbers for a client.
pub(crate) fn counted(usage: &Usage) -> Value {
    let from_cache = usage.cached_tokens.saturating_add(usage.cache_write_tokens);
    json!({
        "input_tokens": usage.prompt_tokens.saturating_sub(from_cache),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    })
}
