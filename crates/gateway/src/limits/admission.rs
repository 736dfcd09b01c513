//! Whether a call may begin.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use loam_kernel::{Error, Kind, Result};
use uuid::Uuid;

use super::demand;
use super::entity::SubjectType;
use super::meter::{Demand, Meter, Refusal, Rule, Which};
use crate::model_prices::Price;

/// What a subject may use, and what it has used.
pub(crate) struct Limited {
    pub(crate) rule: Rule,
    pub(crate) meter: Arc<Meter>,
}

/// The limits of a tenant's subjects.
pub(crate) type Limits = HashMap<(SubjectType, Uuid), Limited>;

/// What is held back for a call, until it is dropped.
pub(crate) struct Hold {
    meters: Vec<Arc<Meter>>,
    demand: Demand,
    begun: bool,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.meters.iter().for_each(|meter| meter.release(self.demand, self.begun));
    }
}

/// A call that wants to begin.
pub(crate) struct Candidate<'a> {
    pub(crate) subjects: &'a [(SubjectType, Uuid)],
    pub(crate) body: &'a [u8],
    /// Whether the model writes text.
    pub(crate) writes: bool,
    /// The prices of all models that may answer.
    pub(crate) prices: &'a [Price],
    /// Tokens expected of an answer that the request doesn't bound.
    pub(crate) default_tokens: u64,
    pub(crate) now: DateTime<Utc>,
}

impl Candidate<'_> {
    fn demand(&self) -> Demand {
        let tokens = demand::expect(self.body, self.writes, self.default_tokens);
        let usage = loam_providers::Usage {
            prompt_tokens: tokens.read,
            completion_tokens: tokens.written,
            total_tokens: tokens.read.saturating_add(tokens.written),
            ..loam_providers::Usage::default()
        };
        Demand {
            tokens: i64::try_from(usage.total_tokens).unwrap_or(i64::MAX / 4).min(i64::MAX / 4),
            // whichever answers, it is covered
            nano: self.prices.iter().map(|price| price.cost(&usage)).max().unwrap_or(0).min(i64::MAX / 4),
        }
    }
}

/// The outcome, and what the client is told of its limits either way.
pub(crate) struct Admission {
    pub(crate) hold: Result<Option<Hold>>,
    pub(crate) headers: HeaderMap,
    /// Nano-dollars held back.
    pub(crate) reserved: Option<i64>,
}

/// Lets a call begin if every limit that it counts against has room.
pub(crate) fn admit(limits: &Limits, candidate: &Candidate<'_>) -> Admission {
    let mut headers = HeaderMap::new();
    let limited: Vec<(SubjectType, &Limited)> =
        candidate.subjects.iter().filter_map(|subject| Some((subject.0, limits.get(subject)?))).collect();
    if limited.is_empty() {
        return Admission { hold: Ok(None), headers, reserved: None };
    }
    let demand = candidate.demand();
    let mut hold = Hold { meters: Vec::with_capacity(limited.len()), demand, begun: false };
    let refused = limited.iter().find_map(|(kind, limited)| {
        match limited.meter.admit(&limited.rule, demand, candidate.now) {
            Ok(()) => {
                hold.meters.push(limited.meter.clone());
                None
            }
            Err(refusal) => Some(error(*kind, &refusal)),
        }
    });
    tell(&mut headers, &limited, candidate.now);
    match refused {
        Some(error) => Admission { hold: Err(error), headers, reserved: None },
        None => {
            hold.begun = true;
            Admission { hold: Ok(Some(hold)), headers, reserved: Some(demand.nano) }
        }
    }
}

fn error(kind: SubjectType, refusal: &Refusal) -> Error {
    let Refusal { which, limit, used, frees } = *refusal;
    let subject = kind.name();
    let usd = |nano| format!("{:.6} US dollars", Price::to_usd(nano));
    let (code, what) = match which {
        Which::Requests => ("rate_limit_requests", format!("{limit} requests a minute, all used")),
        Which::Tokens => {
            ("rate_limit_tokens", format!("{limit} tokens a minute, of which {used} are used or held"))
        }
        Which::Concurrency => ("rate_limit_concurrency", format!("{limit} calls at once, all under way")),
        Which::Day => {
            ("budget_day", format!("{} a day, of which {} are spent or held", usd(limit), usd(used)))
        }
        Which::Month => {
            ("budget_month", format!("{} a month, of which {} are spent or held", usd(limit), usd(used)))
        }
    };
    let message = format!("the limit of this {subject} is {what}; it is free again in {} s", frees.as_secs());
    Error::new(Kind::TooMany, code, message).with_retry_after(frees)
}

/// The tightest of each limit, as OpenAI's clients read it, and as the IETF's draft has it.
fn tell(headers: &mut HeaderMap, limited: &[(SubjectType, &Limited)], now: DateTime<Utc>) {
    let reset = 60 - now.timestamp().rem_euclid(60);
    let used: Vec<_> = limited.iter().map(|(_, limited)| (limited.rule, limited.meter.used(now))).collect();
    let tightest = |all: Vec<(i64, i64)>| all.into_iter().min_by_key(|(limit, used)| limit - used);
    let requests =
        tightest(used.iter().filter_map(|(rule, used)| Some((rule.requests?, used.requests))).collect());
    let tokens = tightest(used.iter().filter_map(|(rule, used)| Some((rule.tokens?, used.tokens))).collect());
    let (mut policies, mut states) = (Vec::new(), Vec::new());
    for (name, found) in [("requests", requests), ("tokens", tokens)] {
        let Some((limit, used)) = found else { continue };
        let left = (limit - used).max(0);
        let mut set = |what: &str, value: String| {
            let name = HeaderName::try_from(format!("x-ratelimit-{what}-{name}"));
            if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        };
        set("limit", limit.to_string());
        set("remaining", left.to_string());
        set("reset", format!("{reset}s"));
        policies.push(format!("\"{name}\";q={limit};w=60"));
        states.push(format!("\"{name}\";r={left};t={reset}"));
    }
    for (name, parts) in [("ratelimit-policy", policies), ("ratelimit", states)] {
        if let (false, Ok(value)) = (parts.is_empty(), HeaderValue::try_from(parts.join(", "))) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use loam_journal::Position;

    use super::super::meter::Windows;
    use super::*;

    fn limited(rule: Rule, now: DateTime<Utc>) -> Limited {
        let meter = Arc::new(Meter::new(now));
        meter.load(Windows::at(now), Windows::at(now), Position(0), now);
        Limited { rule, meter }
    }

    #[test]
    fn the_tightest_limit_speaks_and_a_refusal_leaves_the_others_as_they_were() {
        let now: DateTime<Utc> = "2026-05-05T12:00:10Z".parse().expect("a time");
        let (tenant, key) =
            ((SubjectType::Tenant, Uuid::from_u128(1)), (SubjectType::ApiKey, Uuid::from_u128(2)));
        let limits = Limits::from([
            (tenant, limited(Rule { requests: Some(10), ..Rule::default() }, now)),
            (key, limited(Rule { requests: Some(1), ..Rule::default() }, now)),
        ]);
        let candidate = Candidate {
            subjects: &[tenant, key],
            body: b"{}",
            writes: true,
            prices: &[],
            default_tokens: 1,
            now,
        };
        let first = admit(&limits, &candidate);
        assert!(first.hold.is_ok());
        let second = admit(&limits, &candidate);
        let error = second.hold.err().expect("one a minute");
        assert!(
            error.message().contains("API key") && error.message().contains("1 requests a minute"),
            "{error}"
        );
        assert_eq!(error.retry_after(), Some(Duration::from_secs(50)));
        assert_eq!(second.headers["x-ratelimit-remaining-requests"], "0");
        assert_eq!(second.headers["ratelimit"], "\"requests\";r=0;t=50");
        assert_eq!(limits[&tenant].meter.used(now).requests, 1, "the refused call counts nowhere");
    }

    #[test]
    fn what_is_held_is_the_dearest_of_what_may_answer() {
        let now = "2026-05-05T12:00:10Z".parse().expect("a time");
        let price = |output| Price { input: 0, cached_input: None, cache_write: None, output };
        let candidate = Candidate {
            subjects: &[],
            body: br#"{"max_tokens": 1000000}"#,
            writes: true,
            prices: &[price(5), price(7), price(6)],
            default_tokens: 1,
            now,
        };
        assert_eq!(candidate.demand().nano, 7);
    }
}
