//! What a text weighs and how long an answer takes: near enough to the real thing for charts to look like it.

use fastrand::Rng;
use loam_gateway::model_prices::Price;
use loam_providers::Usage;

/// A model, and how it behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Nano-dollars a million tokens; none: it costs nothing.
    pub(crate) price: Option<Price>,
    /// Tokens a second, about.
    pub(crate) speed: f64,
    /// Microseconds to the first one, about.
    pub(crate) first: f64,
    /// Whether the provider keeps what it has read.
    pub(crate) caches: bool,
}

/// Tokens of a text: about one for each Chinese character and a half, or four other ones.
pub(crate) fn tokens(text: &str) -> u64 {
    let (mut wide, mut narrow) = (0_u64, 0_u64);
    for c in text.chars() {
        if u32::from(c) >= 0x2e80 { wide += 1 } else { narrow += 1 }
    }
    (wide * 2).div_ceil(3) + narrow.div_ceil(4) + 3
}

impl Pace {
    /// What a call used that read `before` tokens of earlier turns and `new` ones, and wrote so many.
    pub(crate) fn usage(&self, before: u64, new: u64, written: u64) -> Usage {
        // providers cache from about a thousand tokens on, in blocks
        let cached = if self.caches && before >= 1024 { before / 128 * 128 } else { 0 };
        Usage {
            prompt_tokens: before + new,
            completion_tokens: written,
            total_tokens: before + new + written,
            cached_tokens: cached,
            ..Usage::default()
        }
    }

    /// Microseconds to the first token, and to the last.
    pub(crate) fn latency(&self, written: u64, rng: &mut Rng) -> (i64, i64) {
        // most answers begin near the usual time, a few take far longer
        let slow = 0.6 + rng.f64() + if rng.f64() < 0.03 { rng.f64() * 12.0 } else { 0.0 };
        let first = self.first * slow;
        #[expect(clippy::cast_precision_loss, reason = "tokens of an answer are few")]
        let writing = written as f64 / (self.speed * (0.75 + rng.f64() / 2.0)) * 1e6;
        #[expect(clippy::cast_possible_truncation, reason = "minutes at most")]
        let whole = |micros: f64| micros as i64;
        (whole(first), whole(first + writing))
    }
}
