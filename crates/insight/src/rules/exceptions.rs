//! Exceptions that are repeatedly raised and swallowed in one function.

use super::collector::{AdviceDraft, Collector, FindingDraft, one_line, percent, quoted, time};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::loops;
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;

/// Exceptions that are part of normal control flow.
const CONTROL_FLOW: [&str; 4] = ["StopIteration", "StopAsyncIteration", "GeneratorExit", "CancelledError"];

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    let swallowed = trace.positions().filter_map(|position| {
        let raised = raised(trace, position)?;
        let parent = trace.parent(position)?;
        let is_swallowed = trace.call(parent).exception.is_none() && !CONTROL_FLOW.contains(&raised);
        is_swallowed.then_some((position, (trace.function(position), raised)))
    });
    for one in loops::find(trace, swallowed, trace.limits.swallowed_exceptions) {
        if collector.is_full() {
            return;
        }
        let cost_ns = trace.busy(one.positions.iter().copied());
        let (at, count, impact) = (trace.application_call(one.at), one.positions.len(), trace.share(cost_ns));
        let function = quoted(&trace.name(at));
        let raised = raised(trace, one.positions[0]).unwrap_or_default();
        collector.add(
            trace,
            FindingDraft {
                rule: Rule::SwallowedExceptions,
                kind: Bottleneck::Computation,
                severity: Severity::of(impact, cost_ns).max(match count {
                    500.. => Severity::High,
                    50.. => Severity::Medium,
                    _ => Severity::Low,
                }),
                at,
                positions: &one.positions,
                cost_ns,
                saving_ns: cost_ns / 2,
                description: format!(
                    "{function} swallows {} {count} times, raised by {}: {}, {} of the request",
                    quoted(raised),
                    quoted(&trace.name(one.positions[0])),
                    time(cost_ns),
                    percent(impact)
                ),
                parameters: FindingParameters {
                    total_ns: Some(cost_ns),
                    exception: Some(one_line(raised)),
                    raised_by: Some(one_line(&trace.name(one.positions[0]))),
                    ..FindingParameters::default()
                },
                advice: AdviceDraft {
                    category: Category::Algorithm,
                    code: FindingCode::AvoidExceptions,
 subject: None,
                    title: format!("Avoid the repeated exceptions that {function} swallows"),
                    description: "Raising and catching costs more than a check, and a swallowed error goes unnoticed. \
                                  Check before, catch outside of the loop, and log unexpected exceptions.",
                    code_example: Some("price = prices.get(sku)             # instead of try/except KeyError in the loop"),
                },
            },
        );
    }
}

/// Type of the exception that a call raised.
fn raised<'a>(trace: &TraceIndex<'a>, position: usize) -> Option<&'a str> {
    let exception = trace.call(position).exception.as_deref()?;
    let kind = exception.split_once(':').map_or(exception, |(kind, _)| kind).trim();
    Some(kind.rsplit('.').next().unwrap_or(kind))
}
