//! Settings of the gateway.

use serde::Deserialize;

/// Settings of the gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Make a call's intent durable before the provider is asked, rather than before its answer goes on. Costs a disk
    /// sync a call; gains a row for calls that a power cut hits before the provider answered.
    pub strict: bool,
    /// Keep the bodies of requests and answers with the call.
    pub record_bodies: bool,
    /// Bytes of a body that are kept; what is longer is cut.
    pub record_max_bytes: usize,
    /// The largest answer that is not streamed, in bytes.
    pub max_answer_bytes: usize,
    /// Tokens that are held back, under a budget or a limit of tokens, for an answer that its request doesn't bound.
    pub expected_answer_tokens: u64,
    /// Bytes that the response cache may take in memory.
    pub response_cache_bytes: u64,
    /// Seconds that a provider's list of models is remembered.
    pub models_ttl: u64,
    /// Calls under way at once on this node, those of turns included. A tenant has at most half of them.
    pub max_calls: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            strict: false,
            record_bodies: true,
            record_max_bytes: 1 << 20,
            max_answer_bytes: 64 << 20,
            expected_answer_tokens: 1024,
            response_cache_bytes: 64 << 20,
            models_ttl: 60,
            max_calls: 8192,
        }
    }
}
