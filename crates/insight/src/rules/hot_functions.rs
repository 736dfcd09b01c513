//! Functions whose self time is most of the request.

use super::collector::{AdviceDraft, Collector, FindingDraft, percent, quoted, time};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;
use crate::trace::OperationKind;

/// Maximum number of hot functions that are examined; several can be hot if they run concurrently.
const MAX_HOT: usize = 20;

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    let (limits, mut examined) = (trace.limits, 0);
    for (number, sums) in trace.functions.iter().enumerate() {
        let impact = trace.share(sums.self_ns);
        let work = trace.call(sums.first).kind;
        let is_code = matches!(work, OperationKind::Function | OperationKind::Request);
        let is_hot = impact >= limits.hot_share && sums.self_ns >= limits.hot_ms.saturating_mul(1_000_000);
        let name = sums.function.key();
        let recursive = collector
            .findings
            .iter()
            .any(|finding| finding.rule == Rule::DeepRecursion && finding.function == name);
        if !is_code || !is_hot || recursive {
            continue;
        }
        examined += 1;
        if examined > MAX_HOT {
            return;
        }
        let all: Vec<usize> =
            trace.positions().filter(|&position| trace.function(position) == number).collect();
        if collector.explains(trace, &all) {
            continue;
        }
        let function = quoted(&name);
        let waits = sums.cpu_ns.is_some_and(|cpu| cpu < sums.self_ns / 5);
        let is_request = work == OperationKind::Request && sums.function.file_path.is_none();
        let (kind, verb, advice) = if waits {
            let advice = AdviceDraft {
                category: Category::Architecture,
                code: FindingCode::FindWait,
                subject: None,
                title: format!("Find what {function} waits for"),
                description: "It uses little processor time: it sleeps, waits for a lock, or for input and output that \
                              is not traced. Trace it, then reduce the wait or do other work meanwhile.",
                code_example: None,
            };
            (Bottleneck::Io, "waits, in code that is not traced,", advice)
        } else if is_request {
            let advice = AdviceDraft {
                category: Category::Algorithm,
                code: FindingCode::TraceRequest,
                subject: None,
                title: format!("Trace what happens in {function}"),
                description: "The time is not in any traced call. Trace the functions that serve this endpoint to see \
                              which of them takes it.",
                code_example: None,
            };
            (Bottleneck::Computation, "is busy, outside of traced calls,", advice)
        } else {
            let advice = AdviceDraft {
                category: Category::Algorithm,
                code: FindingCode::ComputeLess,
                subject: None,
                title: format!("Make {function} compute less"),
                description: "Its own code takes most of the request. Look for nested loops over the same data, searches \
                              in lists where a set or a dict would do, values that are recomputed in a loop, and work \
                              that could be done once, in advance, or outside of the request.",
                code_example: Some(
                    "known = set(known)          # a lookup instead of a search\nnew = [item for item in items if item not in known]",
                ),
            };
            (Bottleneck::Computation, "computes", advice)
        };
        let slowest = [sums.slowest];
        collector.add(
            trace,
            FindingDraft {
                rule: Rule::HotFunction,
                kind,
                severity: Severity::of(impact, sums.self_ns),
                at: sums.first,
                positions: &slowest,
                cost_ns: sums.self_ns,
                saving_ns: sums.self_ns.min(trace.total_ns) / 2,
                description: format!(
                    "{function} {verb} for {} by itself, {} of the request, in {} calls",
                    time(sums.self_ns),
                    percent(impact),
                    sums.calls
                ),
                parameters: FindingParameters {
                    total_ns: Some(sums.self_ns),
                    function_calls: Some(sums.calls as u64),
                    ..FindingParameters::default()
                },
                advice,
            },
        );
    }
}
