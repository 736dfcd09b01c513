//! Token counts and latencies, realistic enough for charts.

use fastrand::Rng;
use loam_gateway::model_prices::Price;
use loam_providers::Usage;

/// Price and speed of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelProfile {
    /// Price; `None` if the model is free.
    pub(crate) price: Option<Price>,
    /// Output speed, in tokens per second.
    pub(crate) speed: f64,
    /// Typical time to the first token, in microseconds.
    pub(crate) first_token_us: f64,
    /// Whether the provider caches prompts.
    pub(crate) caches: bool,
}

/// Estimated tokens of a text: about one per 1.5 Chinese characters, or per four other characters.
pub(crate) fn tokens(text: &str) -> u64 {
    let (mut wide, mut narrow) = (0_u64, 0_u64);
    for c in text.chars() {
        if u32::from(c) >= 0x2e80 { wide += 1 } else { narrow += 1 }
    }
    (wide * 2).div_ceil(3) + narrow.div_ceil(4) + 3
}

impl ModelProfile {
    /// Usage of a call with `before` prompt tokens of earlier turns, `new` prompt tokens, and `written` output tokens.
    pub(crate) fn usage(&self, before: u64, new: u64, written: u64) -> Usage {
        // providers cache prompts from about a thousand tokens, in blocks
        let cached = if self.caches && before >= 1024 { before / 128 * 128 } else { 0 };
        Usage {
            prompt_tokens: before + new,
            completion_tokens: written,
            total_tokens: before + new + written,
            cached_tokens: cached,
            ..Usage::default()
        }
    }

    /// Time to the first and to the last token, in microseconds.
    pub(crate) fn latency(&self, written: u64, rng: &mut Rng) -> (i64, i64) {
        // most latencies are near the typical time, a few are far longer
        let factor = 0.6 + rng.f64() + if rng.f64() < 0.03 { rng.f64() * 12.0 } else { 0.0 };
        let first = self.first_token_us * factor;
        #[expect(clippy::cast_precision_loss, reason = "tokens of an answer are few")]
        let writing = written as f64 / (self.speed * (0.75 + rng.f64() / 2.0)) * 1e6;
        #[expect(clippy::cast_possible_truncation, reason = "minutes at most")]
        let whole = |micros: f64| micros as i64;
        (whole(first), whole(first + writing))
    }
}
