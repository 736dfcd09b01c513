//! Memory that is still in use after the request.

use super::collector::{AdviceDraft, Collector, FindingDraft, quoted};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;

/// Bytes in a megabyte.
const MB: i64 = 1 << 20;

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    let limit = i64::try_from(trace.limits.memory_growth_mb).unwrap_or(i64::MAX).saturating_mul(MB);
    let mut retained = vec![0_i64; trace.functions.len()];
    // the call of each function that retains most
    let mut largest = vec![(0_i64, trace.root); trace.functions.len()];
    let mut top = 0_i64;
    for position in trace.positions() {
        let Some(delta) = trace.call(position).memory_delta else { continue };
        let below = trace.node(position).children.iter().filter_map(|&child| trace.call(child).memory_delta);
        let delta_self = delta.saturating_sub(below.fold(0, i64::saturating_add));
        let function = trace.function(position);
        retained[function] = retained[function].saturating_add(delta_self);
        if delta_self > largest[function].0 {
            largest[function] = (delta_self, position);
        }
        if trace.parent(position).is_none_or(|parent| trace.call(parent).memory_delta.is_none()) {
            top = top.saturating_add(delta);
        }
    }
    let growth = trace.call(trace.root).memory_delta.unwrap_or(top);
    let Some((function, &delta_self)) =
        retained.iter().enumerate().max_by_key(|(_, delta_self)| **delta_self)
    else {
        return;
    };
    if growth < limit || delta_self < growth / 2 {
        return;
    }
    let at = trace.application_call(largest[function].1);
    let name = quoted(&trace.name(at));
    let severity = match growth / limit.max(1) {
        0..2 => Severity::Low,
        2..8 => Severity::Medium,
        8..32 => Severity::High,
        _ => Severity::Critical,
    };
    let positions = [largest[function].1];
    collector.add(
        trace,
        FindingDraft {
            rule: Rule::MemoryGrowth,
            kind: Bottleneck::Memory,
            severity,
            at,
            positions: &positions,
            cost_ns: 0,
            saving_ns: 0,
            description: format!(
                "memory in use grew by {} MB over the request; {name} retains {} MB of it",
                growth / MB,
                delta_self / MB
            ),
            parameters: FindingParameters {
                growth_bytes: Some(growth),
                retained_bytes: Some(delta_self),
                ..FindingParameters::default()
            },
            advice: AdviceDraft {
                category: Category::Architecture,
                code: FindingCode::ReleaseMemory,
 subject: None,
                title: format!("Release the memory that {name} retains"),
                description: "Objects that outlive the request are referenced by something long-lived: a module-level list \
                              or dict, a cache without a bound, or a handler that is registered each time. Bound it, or \
                              tie it to the request.",
                code_example: Some("cache = LRUCache(maxsize=1_000)     # instead of a dict that only grows"),
            },
        },
    );
}
