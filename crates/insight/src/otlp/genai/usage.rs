//! Tokens and cost of a model call.

use loam_gateway::Usage;

use super::names;
use crate::otlp::attributes::Attributes;

/// Nano-dollars per dollar.
const NANO: f64 = 1e9;
/// Maximum plausible cost of a call, in dollars.
const MAX_COST: f64 = 1e6;

/// The token usage, if the span has any.
pub(super) fn usage(attributes: Attributes<'_>) -> Option<Usage> {
    let details = attributes.json(&names::USAGE).unwrap_or_default();
    let tokens = |names: &[&str], in_details: &[&str]| {
        let detail = |name: &&str| details.get(name)?.as_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
        let whole = |number: f64| (0.0..9e15).contains(&number).then_some(number as u64);
        attributes.unsigned(names).or_else(|| in_details.iter().find_map(detail).and_then(whole))
    };
    let input = tokens(&names::INPUT_TOKENS, &names::INPUT_DETAIL);
    let output = tokens(&names::OUTPUT_TOKENS, &names::OUTPUT_DETAIL);
    let total = tokens(&names::TOTAL_TOKENS, &names::TOTAL_DETAIL);
    input.or(output).or(total)?;
    let cached_tokens = tokens(&names::CACHED_TOKENS, &names::CACHED_DETAIL).unwrap_or_default();
    let cache_write_tokens =
        tokens(&names::CACHE_WRITE_TOKENS, &names::CACHE_WRITE_DETAIL).unwrap_or_default();
    let completion_tokens = output.unwrap_or_default();
    let read = input.unwrap_or_else(|| total.unwrap_or_default().saturating_sub(completion_tokens));
    // some libraries exclude cached tokens from the input tokens
    let from_caches = cached_tokens.saturating_add(cache_write_tokens);
    let prompt_tokens = if from_caches > read { read.saturating_add(from_caches) } else { read };
    let total_tokens = prompt_tokens.saturating_add(completion_tokens);
    Some(Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens,
        cached_tokens,
        cache_write_tokens,
        ..Usage::default()
    })
}

/// The cost that the span reports, in nano-dollars.
pub(super) fn cost(attributes: Attributes<'_>) -> Option<i64> {
    let total = || attributes.json(&names::COST_DETAILS)?.get("total")?.as_f64();
    let usd = attributes.double(&names::COST).or_else(total).filter(|usd| (0.0..=MAX_COST).contains(usd))?;
    #[expect(clippy::cast_possible_truncation, reason = "bounded before")]
    Some((usd * NANO).round() as i64)
}
