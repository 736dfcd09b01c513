//! Decides whether a call may start.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use loam_kernel::{Error, Kind, LimitId, Result};
use loam_providers::Quantity;
use loam_providers::openai::OutputLimits;
use uuid::Uuid;

use super::entity::SubjectType;
use super::estimate;
use super::meter::{ExpectedUsage, LimitKind, LimitValues, Meter, Refusal, WindowSums};
use crate::llm_calls::refusal::ExceededLimit;
use crate::model_prices::Price;

/// A limit of a subject, and its current usage.
#[derive(Clone)]
pub(crate) struct Limited {
    pub(crate) id: LimitId,
    pub(crate) values: LimitValues,
    pub(crate) meter: Arc<Meter>,
}

/// The limits of a tenant's subjects.
pub(crate) type Limits = HashMap<(SubjectType, Uuid), Limited>;

/// A limit that applies to a call, with its subject.
pub(crate) type Applied = ((SubjectType, Uuid), Limited);

/// Usage reserved for a call, until it is dropped.
pub(crate) struct Reservation {
    meters: Vec<Arc<Meter>>,
    expected: ExpectedUsage,
    admitted_at: DateTime<Utc>,
    /// Whether all limits admitted the call.
    is_admitted: bool,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        for meter in &self.meters {
            if self.is_admitted {
                meter.release(self.expected);
            } else {
                meter.cancel(self.expected, self.admitted_at);
            }
        }
    }
}

/// A call to be admitted.
pub(crate) struct Candidate<'a> {
    pub(crate) limits: &'a [Applied],
    pub(crate) body: &'a [u8],
    /// The request's limits on its response.
    pub(crate) output_limits: OutputLimits,
    /// Whether the model writes text.
    pub(crate) writes: bool,
    /// The quantity that the request asks for.
    pub(crate) quantity: Option<Quantity>,
    /// The prices of all models that may respond.
    pub(crate) prices: &'a [Price],
    /// Tokens expected of a response that the request doesn't bound.
    pub(crate) default_tokens: u64,
    pub(crate) now: DateTime<Utc>,
}

impl Candidate<'_> {
    fn expected_usage(&self) -> ExpectedUsage {
        let tokens =
            estimate::estimate_tokens(self.body, self.output_limits, self.writes, self.default_tokens);
        let usage = loam_providers::Usage {
            prompt_tokens: tokens.prompt,
            completion_tokens: tokens.completion,
            total_tokens: tokens.prompt.saturating_add(tokens.completion),
            ..loam_providers::Usage::default()
        };
        ExpectedUsage {
            tokens: i64::try_from(usage.total_tokens).unwrap_or(i64::MAX / 4).min(i64::MAX / 4),
            // the highest cost, so that any target is covered
            nano_usd: self
                .prices
                .iter()
                .filter_map(|price| price.cost(Some(&usage), self.quantity))
                .max()
                .unwrap_or(0)
                .min(i64::MAX / 4),
        }
    }
}

/// The outcome, and the limits that the client is shown either way.
pub(crate) struct Admission {
    pub(crate) reservation: Result<Option<Reservation>>,
    /// The limit that refuses the call.
    pub(crate) exceeded: Option<ExceededLimit>,
    pub(crate) status: RateLimitStatus,
    /// Nano-dollars reserved.
    pub(crate) reserved: Option<i64>,
}

/// Admits a call if every limit that applies to it has room.
pub(crate) fn admit(candidate: &Candidate<'_>) -> Admission {
    if candidate.limits.is_empty() {
        let status = RateLimitStatus::default();
        return Admission { reservation: Ok(None), exceeded: None, status, reserved: None };
    }
    let expected = candidate.expected_usage();
    let mut reservation = Reservation {
        meters: Vec::with_capacity(candidate.limits.len()),
        expected,
        admitted_at: candidate.now,
        is_admitted: false,
    };
    let (mut status, mut refused) =
        (RateLimitStatus { at: candidate.now, ..RateLimitStatus::default() }, None);
    for (subject, limited) in candidate.limits {
        // limits after a refusal are not checked, but their status is still shown
        let admitted =
            refused.is_none().then(|| limited.meter.admit(&limited.values, expected, candidate.now));
        let used = match admitted {
            Some(Ok(used)) => {
                reservation.meters.push(limited.meter.clone());
                used
            }
            Some(Err(refusal)) => {
                let exceeded = refusal.exceeded(limited.id, *subject);
                refused = Some((error(subject.0, &refusal, candidate.now), exceeded));
                limited.meter.used(candidate.now)
            }
            None => limited.meter.used(candidate.now),
        };
        status.observe(&limited.values, &used);
    }
    match refused {
        Some((error, exceeded)) => {
            Admission { reservation: Err(error), exceeded: Some(exceeded), status, reserved: None }
        }
        None => {
            reservation.is_admitted = true;
            let reserved = Some(expected.nano_usd);
            Admission { reservation: Ok(Some(reservation)), exceeded: None, status, reserved }
        }
    }
}

impl Refusal {
    fn exceeded(&self, id: LimitId, (subject_type, subject_id): (SubjectType, Uuid)) -> ExceededLimit {
        let unit = match self.kind {
            LimitKind::RequestsPerMinute => "requests",
            LimitKind::TokensPerMinute => "tokens",
            LimitKind::Concurrency => "calls",
            LimitKind::BudgetPerDay | LimitKind::BudgetPerMonth => "usd",
        };
        ExceededLimit {
            id,
            subject_type: subject_type.stored_name().to_owned(),
            subject_id,
            unit: unit.to_owned(),
            limit: self.limit,
            needed: self.needed,
            left: (self.limit - self.used).max(0),
        }
    }
}

fn error(subject_type: SubjectType, refusal: &Refusal, now: DateTime<Utc>) -> Error {
    let Refusal { kind, limit, used, retry_after, .. } = *refusal;
    let subject = subject_type.name();
    let usd = |nano| format!("{:.6} US dollars", Price::to_usd(nano));
    let (code, what) = match kind {
        LimitKind::RequestsPerMinute => {
            ("rate_limit_requests", format!("{limit} requests per minute, all used"))
        }
        LimitKind::TokensPerMinute => {
            ("rate_limit_tokens", format!("{limit} tokens per minute, {used} used or reserved"))
        }
        LimitKind::Concurrency => {
            ("rate_limit_concurrency", format!("{limit} concurrent calls, all in progress"))
        }
        LimitKind::BudgetPerDay => {
            ("budget_day", format!("{} per day, {} spent or reserved", usd(limit), usd(used)))
        }
        LimitKind::BudgetPerMonth => {
            ("budget_month", format!("{} per month, {} spent or reserved", usd(limit), usd(used)))
        }
    };
    let at = DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now) + retry_after;
    let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let message =
        format!("the limit of this {subject} is {what}; retry after {} s, at {at}", retry_after.as_secs());
    Error::new(Kind::TooMany, code, message).with_retry_after(retry_after)
}

/// The status of a client's limits: for each kind, the one with the least remaining.
#[derive(Default)]
pub(crate) struct RateLimitStatus {
    at: DateTime<Utc>,
    requests: Option<Remaining>,
    tokens: Option<Remaining>,
}

#[derive(Clone, Copy)]
struct Remaining {
    limit: i64,
    remaining: i64,
}

/// Headers that OpenAI's clients read: limit, remaining, time until the reset.
const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
/// Headers of the IETF draft (draft-ietf-httpapi-ratelimit-headers).
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

impl RateLimitStatus {
    fn observe(&mut self, values: &LimitValues, used: &WindowSums) {
        let tighter = |current: &mut Option<Remaining>, limit: Option<i64>, used: i64| {
            if let Some(limit) = limit
                && current.is_none_or(|current| limit - used < current.remaining)
            {
                *current = Some(Remaining { limit, remaining: limit - used });
            }
        };
        tighter(&mut self.requests, values.requests_per_minute, used.minute_requests);
        tighter(&mut self.tokens, values.tokens_per_minute, used.minute_tokens);
    }

    /// Writes it to a response's headers.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let reset = 60 - self.at.timestamp().rem_euclid(60);
        let (mut policies, mut states) = (String::new(), String::new());
        for (kind, names, found) in [("requests", REQUESTS, self.requests), ("tokens", TOKENS, self.tokens)] {
            let Some(Remaining { limit, remaining }) = found else { continue };
            let remaining = remaining.max(0);
            let values = [HeaderValue::from(limit), HeaderValue::from(remaining), text(format!("{reset}s"))];
            for (name, value) in names.into_iter().zip(values) {
                headers.insert(name, value);
            }
            let comma = if policies.is_empty() { "" } else { ", " };
            // writing to a string can't fail
            _ = write!(policies, "{comma}\"{kind}\";q={limit};w=60");
            _ = write!(states, "{comma}\"{kind}\";r={remaining};t={reset}");
        }
        if !policies.is_empty() {
            headers.insert(POLICY, text(policies));
            headers.insert(STATE, text(states));
        }
    }
}

/// A header value of ASCII characters.
fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use loam_journal::Position;

    use super::*;

    fn limited(values: LimitValues, now: DateTime<Utc>) -> Limited {
        let meter = Arc::new(Meter::new(now));
        meter.load(WindowSums::at(now), WindowSums::at(now), Position(0), now);
        Limited { id: LimitId(Uuid::from_u128(7)), values, meter }
    }

    #[test]
    fn the_tightest_limit_is_shown_and_a_refusal_counts_against_no_other() {
        let now: DateTime<Utc> = "2026-05-05T12:00:10Z".parse().expect("a time");
        let (tenant, key) =
            ((SubjectType::Tenant, Uuid::from_u128(1)), (SubjectType::ApiKey, Uuid::from_u128(2)));
        let limits = [
            (tenant, limited(LimitValues { requests_per_minute: Some(10), ..LimitValues::default() }, now)),
            (key, limited(LimitValues { requests_per_minute: Some(1), ..LimitValues::default() }, now)),
        ];
        let candidate = Candidate {
            limits: &limits,
            body: b"{}",
            output_limits: OutputLimits::default(),
            writes: true,
            quantity: None,
            prices: &[],
            default_tokens: 1,
            now,
        };
        let first = admit(&candidate);
        assert!(first.reservation.is_ok());
        let second = admit(&candidate);
        let exceeded = second.exceeded.expect("the limit of the key");
        assert_eq!((exceeded.subject_id, exceeded.unit.as_str()), (key.1, "requests"));
        assert_eq!((exceeded.limit, exceeded.needed, exceeded.left), (1, 1, 0));
        let error = second.reservation.err().expect("one a minute");
        assert!(
            error.message().contains("API key")
                && error.message().contains("1 requests per minute")
                && error.message().ends_with("retry after 50 s, at 2026-05-05T12:01:00Z"),
            "{error}"
        );
        assert_eq!(error.retry_after(), Some(Duration::from_secs(50)));
        let mut headers = HeaderMap::new();
        second.status.write(&mut headers);
        assert_eq!(headers["x-ratelimit-remaining-requests"], "0");
        assert_eq!(headers["ratelimit"], "\"requests\";r=0;t=50");
        assert_eq!(limits[0].1.meter.used(now).minute_requests, 1, "the refused call counts nowhere");
    }

    #[test]
    fn the_reservation_covers_the_most_expensive_target() {
        let now = "2026-05-05T12:00:10Z".parse().expect("a time");
        let price = |output| Price { input: 0, cached_input: None, cache_write: None, output, unit: None };
        let candidate = Candidate {
            limits: &[],
            body: b"{}",
            output_limits: OutputLimits { max_tokens: Some(1_000_000), n: None },
            writes: true,
            quantity: None,
            prices: &[price(5), price(7), price(6)],
            default_tokens: 1,
            now,
        };
        assert_eq!(candidate.expected_usage().nano_usd, 7);
    }
}
