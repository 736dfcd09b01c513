//! Very deep, or very frequent, recursion.

use super::collector::{AdviceDraft, Collector, FindingDraft, percent, quoted, time};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;
use crate::trace::OperationKind;

/// Minimum depth for the number of calls to be a finding.
const MIN_DEPTH: u32 = 8;
/// Minimum share of a request for the number of calls to be a finding.
const MIN_SHARE: f64 = 0.2;

/// Maximum number of steps from the deepest call upwards.
const MAX_STEPS: usize = 4_096;
/// Maximum number of recursive functions that are reported.
const MAX_REPORTED: usize = 10;

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    let limits = trace.limits;
    let mut reported: Vec<usize> = Vec::new();
    for (number, sums) in trace.functions.iter().enumerate() {
        let (depth, position) = sums.deepest;
        let impact = trace.share(sums.self_ns);
        let is_deep = depth >= limits.recursion_depth;
        let is_frequent = depth >= MIN_DEPTH && sums.calls >= limits.recursion_calls && impact >= MIN_SHARE;
        if trace.call(sums.first).kind != OperationKind::Function || !(is_deep || is_frequent) {
            continue;
        }
        // from the deepest call upwards
        let mut positions = vec![position];
        let (mut others, mut steps) = (0, 0);
        let mut reached = trace.parent(position);
        while let Some(parent) = reached.filter(|_| positions.len() < depth as usize && steps < MAX_STEPS) {
            steps += 1;
            if trace.function(parent) == number {
                positions.push(parent);
            }
            others += usize::from(reported.contains(&trace.function(parent)));
            reached = trace.parent(parent);
        }
        // functions that call each other in turn are one recursion
        if others >= positions.len() / 2 {
            continue;
        }
        reported.push(number);
        positions.reverse();
        if reported.len() > MAX_REPORTED {
            return;
        }
        let function = quoted(&sums.function.key());
        let severity = Severity::of(impact, sums.self_ns).max(match depth / limits.recursion_depth.max(1) {
            0..4 => Severity::Low,
            4..10 => Severity::Medium,
            _ => Severity::High,
        });
        collector.add(
            trace,
            FindingDraft {
                rule: Rule::DeepRecursion,
                kind: Bottleneck::Computation,
                severity,
                at: sums.first,
                positions: &positions,
                cost_ns: sums.self_ns,
                saving_ns: sums.self_ns.min(trace.total_ns) / 2,
                description: format!(
                    "{function} calls itself {depth} deep, {} calls in all; its own code takes {}, {} of the request",
                    sums.calls,
                    time(sums.self_ns),
                    percent(impact)
                ),
                parameters: FindingParameters {
                    total_ns: Some(sums.self_ns),
                    function_calls: Some(sums.calls as u64),
                    depth: Some(depth),
                    ..FindingParameters::default()
                },
                advice: AdviceDraft {
                    category: Category::Algorithm,
                    code: FindingCode::UnrollRecursion,
 subject: None,
                    title: format!("Turn {function} into a loop, or cache its results"),
                    description: "A recursion whose depth grows with its data ends in a stack overflow, and one that \
                                  recomputes the same values takes exponential time. Cache results (functools.cache), \
                                  use a loop with an explicit stack, and bound the depth.",
                    code_example: Some("@functools.cache\ndef ways(step: int) -> int:\n    ..."),
                },
            },
        );
    }
}
