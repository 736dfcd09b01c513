//! Other servers that take long to begin their answer.

use std::collections::HashMap;

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, percent, quoted, time};
use super::ground::{Ground, float};
use crate::trace::Work;

/// The share of a call from which its first byte is what is waited for.
const SHARE: f64 = 0.6;

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    let mut groups: HashMap<(usize, &str), Vec<(usize, u64)>> = HashMap::new();
    for &place in &ground.work {
        let call = ground.call(place);
        let Some(detail) = &call.detail else { continue };
        let limit = match call.work {
            Work::ExternalApi => ground.limits.first_byte_ms,
            Work::Model => ground.limits.model_first_byte_ms,
            _ => continue,
        };
        let Some(first) = detail.first_byte_ns else { continue };
        let first = first.min(call.duration_ns);
        if first >= limit.saturating_mul(1_000_000) && float(first) >= SHARE * float(call.duration_ns) {
            let whom =
                detail.target.as_deref().or(detail.statement.as_deref()).unwrap_or(&call.function.name);
            groups.entry((ground.function(ground.owner(place)), whom)).or_default().push((place, first));
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, members)| members[0].0);
    for ((_, whom), members) in groups {
        if found.is_full() {
            return;
        }
        let places: Vec<usize> = members.iter().map(|(place, _)| *place).collect();
        let longest = members.iter().map(|(_, first)| *first).max().unwrap_or_default();
        let cost_ns = ground.busy(places.iter().copied());
        let (at, impact) = (ground.owner(places[0]), ground.share(cost_ns));
        let function = quoted(&ground.name(at));
        found.add(
            ground,
            Fault {
                rule: Rule::SlowFirstByte,
                kind: Bottleneck::Io,
                severity: Severity::of(impact, cost_ns),
                at,
                places: &places,
                cost_ns,
                saving_ns: cost_ns / 2,
                description: format!(
                    "{function} waits up to {} until {} begins its answer, {} of the request",
                    time(longest),
                    quoted(whom),
                    percent(impact)
                ),
                advice: Remedy {
                    category: Category::Architecture,
                    title: format!("Don't let {function} wait for the first byte of {}", quoted(whom)),
                    description: "The time passes before the other server says anything: it computes, queues, or a new \
                                  connection is made each time. Keep connections open, keep answers that may be old, ask \
                                  earlier or in the background, and set a time-out.",
                    code_example: Some("client = httpx.AsyncClient(timeout=2.0)   # one for the process: connections are kept"),
                },
            },
        );
    }
}
