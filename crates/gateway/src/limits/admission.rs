//! Whether a call may begin.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use loam_kernel::{Error, Kind, Result};
use loam_providers::openai::Bounds;
use uuid::Uuid;

use super::demand;
use super::entity::SubjectType;
use super::meter::{Demand, Meter, Refusal, Rule, Which, Windows};
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
    /// How much of an answer the request allows.
    pub(crate) bounds: Bounds,
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
        let tokens = demand::expect(self.body, self.bounds, self.writes, self.default_tokens);
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
    pub(crate) told: Allowance,
    /// Nano-dollars held back.
    pub(crate) reserved: Option<i64>,
}

/// Lets a call begin if every limit that it counts against has room.
pub(crate) fn admit(limits: &Limits, candidate: &Candidate<'_>) -> Admission {
    let mut limited =
        candidate.subjects.iter().filter_map(|subject| Some((subject.0, limits.get(subject)?))).peekable();
    if limited.peek().is_none() {
        return Admission { hold: Ok(None), told: Allowance::default(), reserved: None };
    }
    let demand = candidate.demand();
    let mut hold = Hold { meters: Vec::with_capacity(candidate.subjects.len()), demand, begun: false };
    let (mut told, mut refused) = (Allowance { at: candidate.now, ..Allowance::default() }, None);
    for (kind, limited) in limited {
        // what stands behind a refusal isn't asked, but tells what it has left
        let asked = refused.is_none().then(|| limited.meter.admit(&limited.rule, demand, candidate.now));
        let used = match asked {
            Some(Ok(used)) => {
                hold.meters.push(limited.meter.clone());
                used
            }
            Some(Err(refusal)) => {
                refused = Some(error(kind, &refusal));
                limited.meter.used(candidate.now)
            }
            None => limited.meter.used(candidate.now),
        };
        told.see(&limited.rule, &used);
    }
    match refused {
        Some(error) => Admission { hold: Err(error), told, reserved: None },
        None => {
            hold.begun = true;
            Admission { hold: Ok(Some(hold)), told, reserved: Some(demand.nano) }
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

/// What a client is told of its limits: the one of each kind that has the least left.
#[derive(Default)]
pub(crate) struct Allowance {
    at: DateTime<Utc>,
    requests: Option<Left>,
    tokens: Option<Left>,
}

#[derive(Clone, Copy)]
struct Left {
    limit: i64,
    left: i64,
}

/// Names of the headers that OpenAI's clients read: limit, what is left, when it is free again.
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
/// Those of the IETF's draft (draft-ietf-httpapi-ratelimit-headers).
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

impl Allowance {
    fn see(&mut self, rule: &Rule, used: &Windows) {
        let tighter = |known: &mut Option<Left>, limit: Option<i64>, used: i64| {
            if let Some(limit) = limit
                && known.is_none_or(|known| limit - used < known.left)
            {
                *known = Some(Left { limit, left: limit - used });
            }
        };
        tighter(&mut self.requests, rule.requests, used.requests);
        tighter(&mut self.tokens, rule.tokens, used.tokens);
    }

    /// Puts it among an answer's headers.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let reset = 60 - self.at.timestamp().rem_euclid(60);
        let (mut policies, mut states) = (String::new(), String::new());
        for (kind, names, found) in [("requests", REQUESTS, self.requests), ("tokens", TOKENS, self.tokens)] {
            let Some(Left { limit, left }) = found else { continue };
            let left = left.max(0);
            let values = [HeaderValue::from(limit), HeaderValue::from(left), text(format!("{reset}s"))];
            for (name, value) in names.into_iter().zip(values) {
                headers.insert(name, value);
            }
            let comma = if policies.is_empty() { "" } else { ", " };
            // writing to a string can't fail
            _ = write!(policies, "{comma}\"{kind}\";q={limit};w=60");
            _ = write!(states, "{comma}\"{kind}\";r={left};t={reset}");
        }
        if !policies.is_empty() {
            headers.insert(POLICY, text(policies));
            headers.insert(STATE, text(states));
        }
    }
}

/// A header of digits and plain letters.
fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use loam_journal::Position;

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
            bounds: Bounds::default(),
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
        let mut headers = HeaderMap::new();
        second.told.write(&mut headers);
        assert_eq!(headers["x-ratelimit-remaining-requests"], "0");
        assert_eq!(headers["ratelimit"], "\"requests\";r=0;t=50");
        assert_eq!(limits[&tenant].meter.used(now).requests, 1, "the refused call counts nowhere");
    }

    #[test]
    fn what_is_held_is_the_dearest_of_what_may_answer() {
        let now = "2026-05-05T12:00:10Z".parse().expect("a time");
        let price = |output| Price { input: 0, cached_input: None, cache_write: None, output };
        let candidate = Candidate {
            subjects: &[],
            body: b"{}",
            bounds: Bounds { max_tokens: Some(1_000_000), n: None },
            writes: true,
            prices: &[price(5), price(7), price(6)],
            default_tokens: 1,
            now,
        };
        assert_eq!(candidate.demand().nano, 7);
    }
}
