//! External servers that are slow to send the first byte.

use std::collections::HashMap;

use super::collector::{AdviceDraft, Collector, FindingDraft, one_line, percent, quoted, time};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::number::float;
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;
use crate::trace::OperationKind;

/// Minimum share of a call's duration that the first byte takes.
const MIN_SHARE: f64 = 0.6;

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    let mut groups: HashMap<(usize, &str), Vec<(usize, u64)>> = HashMap::new();
    for &position in &trace.external_calls {
        let call = trace.call(position);
        let Some(detail) = &call.detail else { continue };
        let limit = match call.kind {
            OperationKind::ExternalApi => trace.limits.first_byte_ms,
            OperationKind::Model => trace.limits.model_first_byte_ms,
            _ => continue,
        };
        let Some(first) = detail.first_byte_ns else { continue };
        let first = first.min(call.duration_ns);
        if first >= limit.saturating_mul(1_000_000) && float(first) >= MIN_SHARE * float(call.duration_ns) {
            let target =
                detail.target.as_deref().or(detail.statement.as_deref()).unwrap_or(&call.function.name);
            groups
                .entry((trace.function(trace.owner(position)), target))
                .or_default()
                .push((position, first));
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, members)| members[0].0);
    for ((_, target), members) in groups {
        if collector.is_full() {
            return;
        }
        let positions: Vec<usize> = members.iter().map(|(position, _)| *position).collect();
        let longest = members.iter().map(|(_, first)| *first).max().unwrap_or_default();
        let cost_ns = trace.busy(positions.iter().copied());
        let (at, impact) = (trace.owner(positions[0]), trace.share(cost_ns));
        let function = quoted(&trace.name(at));
        collector.add(
            trace,
            FindingDraft {
                rule: Rule::SlowFirstByte,
                kind: Bottleneck::Io,
                severity: Severity::of(impact, cost_ns),
                at,
                positions: &positions,
                cost_ns,
                saving_ns: cost_ns / 2,
                description: format!(
                    "{function} waits up to {} for the first byte from {}, {} of the request",
                    time(longest),
                    quoted(target),
                    percent(impact)
                ),
                parameters: FindingParameters {
                    target: Some(one_line(target)),
                    longest_ns: Some(longest),
                    ..FindingParameters::default()
                },
                advice: AdviceDraft {
                    category: Category::Architecture,
                    code: FindingCode::ReduceFirstByte,
 subject: Some(target.to_owned()),
                    title: format!("Reduce the time {function} waits for the first byte from {}", quoted(target)),
                    description: "The time passes before the server sends its first byte: it computes, requests are queued, \
                                  or each request opens a new connection. Reuse connections, cache responses that may be \
                                  stale, send the request earlier or in the background, and set a timeout.",
                    code_example: Some("client = httpx.AsyncClient(timeout=2.0)   # one per process: connections are reused"),
                },
            },
        );
    }
}
