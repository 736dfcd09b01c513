//! The same is called, asked or looked up again and again, as far as what is asked was told.

use std::collections::HashMap;

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, percent, quoted, time};
use super::ground::Ground;
use crate::trace::Work;

/// What makes calls the same: the function, and what it was asked.
type Asked<'a> = (usize, &'a str, &'a str);

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    let mut same: HashMap<Asked<'_>, Vec<usize>> = HashMap::new();
    for place in ground.places() {
        if let Some(asked) = asked(ground, place) {
            same.entry(asked).or_default().push(place);
        }
    }
    let mut groups: Vec<_> = same.into_values().collect();
    groups.retain(|places| places.len() >= ground.limits.repeated_calls);
    groups.sort_by_key(|places| places[0]);
    for mut places in groups {
        if found.is_full() {
            return;
        }
        places.sort_unstable_by_key(|&place| (ground.call(place).start_ns, place));
        let cost_ns = ground.busy(places.iter().copied());
        let is_cache = ground.call(places[0]).work == Work::Cache;
        let is_much = if is_cache {
            places.len() >= ground.limits.repeated_queries
        } else {
            cost_ns >= ground.limits.repeated_ms.saturating_mul(1_000_000)
        };
        if is_much && !found.explains(ground, &places) {
            tell(ground, found, &places, cost_ns);
        }
    }
}

/// What is asked in a call; none where that isn't told, or where asking again is right.
fn asked<'a>(ground: &Ground<'a>, place: usize) -> Option<Asked<'a>> {
    let call = ground.call(place);
    let detail = call.detail.as_ref()?;
    if ground.failed(place) {
        return None;
    }
    let function = ground.function(place);
    match call.work {
        Work::Function => Some((function, "", ground.arguments(place)?)),
        Work::ExternalApi => {
            let method = detail.operation.as_deref().unwrap_or("GET");
            let reads = ["GET", "HEAD"].iter().any(|read| method.eq_ignore_ascii_case(read));
            reads.then_some((function, ground.statement(place)?, ground.arguments(place).unwrap_or_default()))
        }
        Work::Cache => {
            if detail.hit == Some(false) {
                return None;
            }
            let key = match ground.arguments(place) {
                Some(key) => key,
                // a pattern stands for many keys
                None => ground.statement(place).filter(|key| !key.contains(['?', '*', '{', '<']))?,
            };
            Some((function, detail.operation.as_deref().unwrap_or_default(), key))
        }
        Work::Request | Work::Database | Work::Model | Work::Tool | Work::Queue => None,
    }
}

fn tell(ground: &Ground<'_>, found: &mut Found, places: &[usize], cost_ns: u64) {
    let call = ground.call(places[0]);
    let (kind, what) = match call.work {
        Work::Function => (Bottleneck::Computation, quoted(&call.function.key())),
        _ => (Bottleneck::Io, quoted(ground.statement(places[0]).unwrap_or(&call.function.name))),
    };
    let at = ground.owner(places[0]);
    let function = quoted(&ground.name(at));
    let impact = ground.share(cost_ns);
    let count = places.len() as u64;
    found.add(
        ground,
        Fault {
            rule: Rule::RepeatedCall,
            kind,
            severity: Severity::of(impact, cost_ns),
            at,
            places,
            cost_ns,
            saving_ns: cost_ns - cost_ns / count,
            description: format!(
                "{function} asks {count} times for the same, {what}: {} in all, {} of the request",
                time(cost_ns),
                percent(impact)
            ),
            advice: Remedy {
                category: Category::Caching,
                title: format!("Keep what {function} gets from {what}"),
                description: "The same is asked for several times in one request. Ask once and hand the answer on, or keep \
                              it in a cache for as long as it may be old.",
                code_example: Some("@functools.lru_cache(maxsize=1024)\ndef rate(currency: str) -> Decimal:\n    ..."),
            },
        },
    );
}
