//! Converts tokens to cost, in whole nano-dollars, so that sums are exact.

use loam_kernel::{Error, Result};
use loam_providers::{Quantity, Usage};

use super::entity::Model;

/// Nano-dollars per dollar.
const NANO: f64 = 1e9;
const MILLION: i128 = 1_000_000;

/// Nano-dollars per million tokens, and per unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Prompt tokens.
    pub input: i64,
    /// Prompt tokens read from the provider's cache; defaults to `input`.
    pub cached_input: Option<i64>,
    /// Prompt tokens written to the provider's cache; defaults to `input`.
    pub cache_write: Option<i64>,
    /// Completion tokens.
    pub output: i64,
    /// A character, image, second or search, whichever the call is counted by; not per million.
    pub unit: Option<i64>,
}

impl From<&Model> for Price {
    fn from(row: &Model) -> Self {
        Self {
            input: row.input_nano_usd,
            cached_input: row.cached_input_nano_usd,
            cache_write: row.cache_write_nano_usd,
            output: row.output_nano_usd,
            unit: row.unit_nano_usd,
        }
    }
}

impl Price {
    /// Converts nano-dollars to dollars, as clients read them.
    #[expect(clippy::cast_precision_loss, reason = "exact to 9 million dollars, and to a cent far beyond")]
    pub fn to_usd(nano: i64) -> f64 {
        nano as f64 / NANO
    }

    /// The cost of a call in nano-dollars: of its tokens, and of its quantity. None if it has neither, or only a
    /// quantity that has no price.
    pub fn cost(&self, usage: Option<&Usage>, quantity: Option<Quantity>) -> Option<i64> {
        let quantity = quantity.zip(self.unit).map(|(quantity, price)| {
            let cost = i128::from(quantity.thousandths) * i128::from(price);
            i64::try_from((cost + 500) / 1000).unwrap_or(i64::MAX)
        });
        match (usage.map(|usage| self.cost_of_tokens(usage)), quantity) {
            (Some(tokens), Some(quantity)) => Some(tokens.saturating_add(quantity)),
            (tokens, quantity) => tokens.or(quantity),
        }
    }

    /// The cost of tokens in nano-dollars, rounded half up.
    pub fn cost_of_tokens(&self, usage: &Usage) -> i64 {
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        let cache_write = usage.cache_write_tokens.min(usage.prompt_tokens - cached);
        let parts = [
            (usage.prompt_tokens - cached - cache_write, self.input),
            (cache_write, self.cache_write.unwrap_or(self.input)),
            (cached, self.cached_input.unwrap_or(self.input)),
            (usage.completion_tokens, self.output),
        ];
        let sum: i128 = parts.iter().map(|(tokens, price)| i128::from(*tokens) * i128::from(*price)).sum();
        i64::try_from((sum + MILLION / 2) / MILLION).unwrap_or(i64::MAX)
    }
}

/// Converts dollars, as clients write them, to nano-dollars.
pub(crate) fn from_usd(param: &str, usd: f64) -> Result<i64> {
    if !(0.0..=1_000_000.0).contains(&usd) {
        return Err(Error::invalid(param, "must be US dollars, 0 to 1000000"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    Ok((usd * NANO).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_costs_what_its_tokens_cost() {
        let price = Price {
            input: 150_000_000,
            cached_input: Some(75_000_000),
            cache_write: None,
            output: 600_000_000,
            unit: None,
        };
        let usage = Usage {
            prompt_tokens: 1000,
            completion_tokens: 200,
            total_tokens: 1200,
            cached_tokens: 400,
            cache_write_tokens: 100,
            reasoning_tokens: 0,
        };
        // 600 · 0.15 $ + 400 · 0.075 $ + 200 · 0.60 $, per million each
        assert_eq!(price.cost_of_tokens(&usage), 90_000 + 30_000 + 120_000);
        let write = Price { cache_write: Some(300_000_000), ..price };
        assert_eq!(write.cost_of_tokens(&usage), 75_000 + 30_000 + 30_000 + 120_000);
        let whole = Price { cached_input: None, ..price };
        assert_eq!(whole.cost_of_tokens(&usage), 150_000 + 120_000);
        let one = Usage { prompt_tokens: 1, ..Usage::default() };
        assert_eq!(
            Price { input: 28_500_000, cached_input: None, cache_write: None, output: 0, unit: None }
                .cost_of_tokens(&one),
            29
        );
        let spoken = Quantity { unit: loam_providers::Unit::Seconds, thousandths: 8_471 };
        let by_second = Price { unit: Some(100_000), ..price };
        assert_eq!(by_second.cost(None, Some(spoken)), Some(847_100));
        assert_eq!(by_second.cost(Some(&usage), Some(spoken)), Some(240_000 + 847_100));
        assert_eq!((price.cost(None, Some(spoken)), by_second.cost(None, None)), (None, None));
        assert_eq!(from_usd("p", 0.1).ok(), Some(100_000_000));
        assert!(from_usd("p", -1.0).is_err() && from_usd("p", f64::NAN).is_err());
    }
}
