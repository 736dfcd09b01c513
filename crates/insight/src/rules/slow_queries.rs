//! Queries that take long, each by itself.

use std::collections::HashMap;

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, percent, quoted, time};
use super::ground::Ground;
use crate::trace::Work;

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    let slow_ns = ground.limits.slow_query_ms.saturating_mul(1_000_000);
    let mut groups: HashMap<(usize, &str), Vec<usize>> = HashMap::new();
    for &place in &ground.work {
        let call = ground.call(place);
        if call.work == Work::Database && call.duration_ns >= slow_ns {
            let statement = ground.statement(place).unwrap_or(&call.function.name);
            groups.entry((ground.function(ground.owner(place)), statement)).or_default().push(place);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, places)| places[0]);
    for ((_, statement), places) in groups {
        if found.is_full() {
            return;
        }
        let at = ground.owner(places[0]);
        let function = quoted(&ground.name(at));
        let cost_ns = ground.busy(places.iter().copied());
        let slowest = places.iter().map(|&place| ground.call(place).duration_ns).max().unwrap_or_default();
        let times = if places.len() == 1 { String::new() } else { format!(", {} times", places.len()) };
        let impact = ground.share(cost_ns);
        found.add(
            ground,
            Fault {
                rule: Rule::SlowQuery,
                kind: Bottleneck::Database,
                severity: Severity::of(impact, cost_ns),
                at,
                places: &places,
                cost_ns,
                // with an index it takes a small part of what is just about slow
                saving_ns: cost_ns.saturating_sub((slow_ns / 10).saturating_mul(places.len() as u64)),
                description: format!(
                    "{function} waits up to {} for {}{times}, {} of the request",
                    time(slowest),
                    quoted(statement),
                    percent(impact)
                ),
                advice: Remedy {
                    category: Category::Database,
                    title: format!("Make the query of {function} fast: {}", quoted(statement)),
                    description: "Look at its plan (EXPLAIN ANALYZE): an index on the columns of WHERE, JOIN and ORDER BY, \
                                  fewer columns, a limit, or figures that are kept instead of computed each time.",
                    code_example: Some("EXPLAIN ANALYZE SELECT …;\nCREATE INDEX ON orders (customer_id, created_at);"),
                },
            },
        );
    }
}
