//! Repeated calls, requests or lookups with the same arguments, if the arguments were reported.

use std::collections::HashMap;

use super::collector::{AdviceDraft, Collector, FindingDraft, one_line, percent, quoted, time};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;
use crate::trace::OperationKind;

/// Identity of a call: the function, the operation or address, and the arguments.
type CallKey<'a> = (usize, &'a str, &'a str);

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    let mut same: HashMap<CallKey<'_>, Vec<usize>> = HashMap::new();
    for position in trace.positions() {
        if let Some(key) = call_key(trace, position) {
            same.entry(key).or_default().push(position);
        }
    }
    let mut groups: Vec<_> = same.into_values().collect();
    groups.retain(|positions| positions.len() >= trace.limits.repeated_calls);
    groups.sort_by_key(|positions| positions[0]);
    for mut positions in groups {
        if collector.is_full() {
            return;
        }
        positions.sort_unstable_by_key(|&position| (trace.call(position).start_ns, position));
        let cost_ns = trace.busy(positions.iter().copied());
        let is_cache = trace.call(positions[0]).kind == OperationKind::Cache;
        let is_significant = if is_cache {
            positions.len() >= trace.limits.repeated_queries
        } else {
            cost_ns >= trace.limits.repeated_ms.saturating_mul(1_000_000)
        };
        if is_significant && !collector.explains(trace, &positions) {
            report(trace, collector, &positions, cost_ns);
        }
    }
}

/// The key of a call; `None` if its arguments are unknown or a repetition is legitimate.
fn call_key<'a>(trace: &TraceIndex<'a>, position: usize) -> Option<CallKey<'a>> {
    let call = trace.call(position);
    let detail = call.detail.as_ref()?;
    if trace.failed(position) {
        return None;
    }
    let function = trace.function(position);
    match call.kind {
        OperationKind::Function => Some((function, "", trace.arguments(position)?)),
        OperationKind::ExternalApi => {
            let method = detail.operation.as_deref().unwrap_or("GET");
            let reads = ["GET", "HEAD"].iter().any(|read| method.eq_ignore_ascii_case(read));
            reads.then_some((
                function,
                trace.statement(position)?,
                trace.arguments(position).unwrap_or_default(),
            ))
        }
        OperationKind::Cache => {
            if detail.hit == Some(false) {
                return None;
            }
            let key = match trace.arguments(position) {
                Some(key) => key,
                // a pattern matches many keys
                None => trace.statement(position).filter(|key| !key.contains(['?', '*', '{', '<']))?,
            };
            Some((function, detail.operation.as_deref().unwrap_or_default(), key))
        }
        OperationKind::Request
        | OperationKind::Database
        | OperationKind::Model
        | OperationKind::Tool
        | OperationKind::Queue => None,
    }
}

fn report(trace: &TraceIndex<'_>, collector: &mut Collector, positions: &[usize], cost_ns: u64) {
    let call = trace.call(positions[0]);
    let (kind, target) = match call.kind {
        OperationKind::Function => (Bottleneck::Computation, call.function.key()),
        _ => (Bottleneck::Io, trace.statement(positions[0]).unwrap_or(&call.function.name).to_owned()),
    };
    let what = quoted(&target);
    let at = trace.owner(positions[0]);
    let function = quoted(&trace.name(at));
    let impact = trace.share(cost_ns);
    let count = positions.len() as u64;
    collector.add(
        trace,
        FindingDraft {
            rule: Rule::RepeatedCall,
            kind,
            severity: Severity::of(impact, cost_ns),
            at,
            positions,
            cost_ns,
            saving_ns: cost_ns - cost_ns / count,
            description: format!(
                "{function} repeats the same call {count} times, {what}: {} in total, {} of the request",
                time(cost_ns),
                percent(impact)
            ),
            parameters: FindingParameters {
                target: Some(one_line(&target)),
                total_ns: Some(cost_ns),
                ..FindingParameters::default()
            },
            advice: AdviceDraft {
                category: Category::Caching,
                code: FindingCode::ReuseResult,
 subject: Some(what.clone()),
                title: format!("Reuse what {function} gets from {what}"),
                description: "The same call is made several times in one request. Span once and pass the result on, or \
                              cache it for as long as it may be stale.",
                code_example: Some("@functools.lru_cache(maxsize=1024)\ndef rate(currency: str) -> Decimal:\n    ..."),
            },
        },
    );
}
