//! Waits in sequence that apparently do not depend on each other.

use super::collector::{AdviceDraft, Collector, FindingDraft, percent, quoted, time};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::parameters::{FindingCode, FindingParameters};
use super::repeated_queries::is_read;
use super::trace_index::{TraceIndex, interval};
use crate::trace::OperationKind;

const GATHER: &str = "async with asyncio.TaskGroup() as tasks:\n    user = tasks.create_task(fetch_user(user_id))\n    \
                      orders = tasks.create_task(fetch_orders(user_id))\n    offers = tasks.create_task(fetch_offers())";
/// Maximum depth at which the awaited call of a function is searched.
const MAX_LEVELS: usize = 12;

/// Sequential waits of one kind under one call.
struct Run {
    work: OperationKind,
    /// Positions of the direct children.
    positions: Vec<usize>,
    /// Positions of the external calls that they wait for.
    waits: Vec<usize>,
}

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    if trace.external_calls.len() < trace.limits.sequential_awaits {
        return;
    }
    for position in trace.positions() {
        if trace.node(position).children.len() >= trace.limits.sequential_awaits {
            runs(trace, position).into_iter().for_each(|run| report_run(trace, collector, position, &run));
        }
    }
}

fn runs(trace: &TraceIndex<'_>, parent: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open = false;
    for &child in &trace.node(parent).children {
        let call = trace.call(child);
        let Some((work, wait)) = awaited(trace, child) else {
            // short computation in between, such as parsing a response, does not end a run
            let last = runs.last().and_then(|run| run.positions.last());
            open = open && last.is_some_and(|&last| call.duration_ns <= trace.call(last).duration_ns / 5);
            continue;
        };
        let follows = open
            && runs.last().is_some_and(|run| {
                let last = trace.call(run.positions[run.positions.len() - 1]);
                let (_, end) = interval(last);
                let gap = call.start_ns.saturating_sub(end);
                run.work == work
                    && gap >= 0
                    && gap.unsigned_abs() <= last.duration_ns.max(call.duration_ns) / 2
            });
        match runs.last_mut() {
            Some(run) if follows => {
                run.positions.push(child);
                run.waits.push(wait);
            }
            _ => runs.push(Run { work, positions: vec![child], waits: vec![wait] }),
        }
        open = true;
    }
    runs
}

/// The external call that a call waits for nearly all of its time, if it may run concurrently with others.
fn awaited(trace: &TraceIndex<'_>, position: usize) -> Option<(OperationKind, usize)> {
    let mut reached = position;
    for _ in 0..MAX_LEVELS {
        let call = trace.call(reached);
        if call.exception.is_some() {
            return None;
        }
        match call.kind {
            OperationKind::Function => {
                let children = trace.node(reached).children.iter().copied();
                let longest = children.max_by_key(|&child| trace.call(child).duration_ns)?;
                if trace.call(longest).duration_ns < call.duration_ns / 5 * 4 {
                    return None;
                }
                reached = longest;
            }
            OperationKind::Database => {
                return is_read(trace.statement(reached)?).then_some((OperationKind::Database, reached));
            }
            OperationKind::ExternalApi => {
                let method = call.detail.as_ref().and_then(|detail| detail.operation.as_deref());
                let writes = ["POST", "PUT", "PATCH", "DELETE"];
                let is_write =
                    method.is_some_and(|method| writes.iter().any(|w| method.eq_ignore_ascii_case(w)));
                return (!is_write && !trace.failed(reached))
                    .then_some((OperationKind::ExternalApi, reached));
            }
            work @ (OperationKind::Model | OperationKind::Tool) => return Some((work, reached)),
            OperationKind::Request | OperationKind::Cache | OperationKind::Queue => return None,
        }
    }
    None
}

fn report_run(trace: &TraceIndex<'_>, collector: &mut Collector, parent: usize, run: &Run) {
    let limits = trace.limits;
    let durations = run.positions.iter().map(|&position| trace.call(position).duration_ns);
    let longest = durations.max().unwrap_or_default();
    let cost_ns = trace.busy(run.positions.iter().copied());
    let saving_ns = cost_ns.saturating_sub(longest);
    // model calls in sequence often depend on each other, and queries of one transaction have to run in sequence: both
    // have stricter thresholds
    let (min_count, min_share, min_saving_ms) = match run.work {
        OperationKind::Model => (limits.sequential_awaits + 1, 0.2, limits.sequential_ms),
        OperationKind::Database => (limits.sequential_awaits, 0.3, limits.sequential_ms.saturating_mul(2)),
        _ => (limits.sequential_awaits, 0.2, limits.sequential_ms),
    };
    let is_significant =
        saving_ns >= min_saving_ms.saturating_mul(1_000_000) && trace.share(saving_ns) >= min_share;
    if run.positions.len() < min_count
        || !is_significant
        || collector.is_full()
        || collector.explains(trace, &run.waits)
    {
        return;
    }
    let target = match run.work {
        OperationKind::Database => "the database",
        OperationKind::Model => "a model",
        OperationKind::Tool => "tools",
        _ => "other servers",
    };
    let at = trace.application_call(parent);
    let (function, count, impact) = (quoted(&trace.name(at)), run.positions.len(), trace.share(cost_ns));
    collector.add(
        trace,
        FindingDraft {
            rule: Rule::SequentialAwaits,
            kind: if run.work == OperationKind::Database { Bottleneck::Database } else { Bottleneck::Io },
            severity: Severity::of(trace.share(saving_ns), saving_ns),
            at,
            positions: &run.positions,
            cost_ns,
            saving_ns,
            description: format!(
                "{function} waits for {target} {count} times in sequence: {} in total, {} of the request; concurrently it \
                 would take {}",
                time(cost_ns),
                percent(impact),
                time(longest)
            ),
            parameters: FindingParameters {
                operation: Some(run.work),
                total_ns: Some(cost_ns),
                longest_ns: Some(longest),
                ..FindingParameters::default()
            },
            advice: AdviceDraft {
                category: Category::Architecture,
                code: FindingCode::WaitConcurrently,
 subject: Some(run.work.name().to_owned()),
                title: format!("Let {function} wait for {target} concurrently"),
                description: "If the calls do not depend on each other, start all of them, then wait for all: \
                              asyncio.TaskGroup or asyncio.gather; in synchronous code, a thread pool. Queries need a \
                              connection each, or one query that returns everything.",
                code_example: Some(GATHER),
            },
        },
    );
    collector.mark_explained(&run.waits);
}
