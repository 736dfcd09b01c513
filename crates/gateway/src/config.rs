//! Settings of the gateway.

use serde::Deserialize;

/// Settings of the gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Make a call's intent durable before the provider is called, rather than before its response is forwarded.
    /// Costs one disk sync per call; gains a row for calls that a power failure interrupts before the provider
    /// responded.
    pub strict: bool,
    /// Record the bodies of requests and responses with the call.
    pub record_bodies: bool,
    /// Maximum bytes recorded of a body; longer bodies are truncated.
    pub record_max_bytes: usize,
    /// The largest response that is not streamed, in bytes.
    pub max_answer_bytes: usize,
    /// Tokens reserved, under a budget or a token limit, for a response that its request doesn't bound.
    pub expected_answer_tokens: u64,
    /// Maximum bytes of the response cache, in memory.
    pub response_cache_bytes: u64,
    /// Seconds for which a provider's list of models is cached.
    pub models_ttl: u64,
    /// Maximum concurrent calls on this node, including those of turns. A tenant has at most half of them.
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
