//! A cache with many lookups and few hits.

use super::collector::{AdviceDraft, Collector, FindingDraft, one_line, percent, quoted, time};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::loops;
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;
use crate::trace::OperationKind;

const MANY: &str = "values = cache.get_many(keys)\nmissing = [key for key in keys if key not in values]\nif missing:\n    loaded = \
                    load_all(missing)              # one query\n    cache.set_many(loaded, timeout=300)";

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    let limits = trace.limits;
    let lookups: Vec<(usize, &str, bool)> =
        trace.external_calls.iter().filter_map(|&position| lookup(trace, position)).collect();
    let misses = lookups.iter().filter(|(_, _, hit)| !hit).map(|&(position, pattern, _)| (position, pattern));
    for one in loops::find(trace, misses, limits.cache_misses) {
        if collector.is_full() {
            return;
        }
        let pattern =
            trace.statement(one.positions[0]).unwrap_or(&trace.call(one.positions[0]).function.name);
        let last = one.positions[one.positions.len() - 1];
        let hits = lookups
            .iter()
            .filter(|(position, other, hit)| *hit && *other == pattern && (one.at..=last).contains(position));
        let all = one.positions.len() + hits.count();
        let share = one.positions.len() as f64 / all as f64;
        if share < limits.cache_miss_share {
            continue;
        }
        let fetches: Vec<usize> =
            one.positions.iter().filter_map(|&position| fetch_after_miss(trace, position)).collect();
        let cost_ns = trace.busy(one.positions.iter().chain(&fetches).copied());
        let (at, count, impact) = (trace.application_call(one.at), one.positions.len(), trace.share(cost_ns));
        let function = quoted(&trace.name(at));
        collector.add(
            trace,
            FindingDraft {
                rule: Rule::CacheMisses,
                kind: Bottleneck::Io,
                severity: Severity::of(impact, cost_ns).max(if count >= 100 { Severity::Medium } else { Severity::Low }),
                at,
                positions: &one.positions,
                cost_ns,
                saving_ns: cost_ns - cost_ns / count as u64,
                description: format!(
                    "{function} looks up {} in the cache {all} times and misses {count} times; including what is then \
                     fetched instead, this takes {}, {} of the request",
                    quoted(pattern),
                    time(cost_ns),
                    percent(impact)
                ),
                parameters: FindingParameters {
                    target: Some(one_line(pattern)),
                    total_ns: Some(cost_ns),
                    lookups: Some(all as u64),
                    ..FindingParameters::default()
                },
                advice: AdviceDraft {
                    category: Category::Caching,
                    code: FindingCode::FillCache,
 subject: None,
                    title: format!("Fill the cache that {function} uses, and look up many keys at once"),
                    description: "Nearly every lookup misses: the keys differ from those that are written, the values \
                                  expire too soon, or the cache is too small. Look up all keys in one call, fetch what is \
                                  missing in one query, write it back, and preload what every request needs.",
                    code_example: Some(MANY),
                },
            },
        );
        collector.mark_explained(&fetches);
    }
}

fn lookup<'a>(trace: &TraceIndex<'a>, position: usize) -> Option<(usize, &'a str, bool)> {
    let call = trace.call(position);
    let hit = call.detail.as_ref().filter(|_| call.kind == OperationKind::Cache)?.hit?;
    Some((position, trace.statement(position).unwrap_or(&call.function.name), hit))
}

/// The call that fetches the value after a miss: the next call under the same parent.
fn fetch_after_miss(trace: &TraceIndex<'_>, miss: usize) -> Option<usize> {
    let siblings = &trace.node(trace.parent(miss)?).children;
    let next = *siblings.get(siblings.partition_point(|&sibling| sibling <= miss))?;
    let mut reached = next;
    // descend through functions that only wrap the fetch
    while trace.call(reached).kind == OperationKind::Function {
        let [only] = trace.node(reached).children.as_slice() else { return Some(next) };
        reached = *only;
    }
    (trace.call(reached).kind != OperationKind::Cache).then_some(reached)
}
