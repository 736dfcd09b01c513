//! Waits that follow each other though, as far as can be seen, none needs what the one before brought.

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, percent, quoted, time};
use super::ground::{Ground, span};
use super::repeated_queries::is_read;
use crate::trace::Work;

const GATHER: &str = "async with asyncio.TaskGroup() as tasks:\n    user = tasks.create_task(fetch_user(user_id))\n    \
                      orders = tasks.create_task(fetch_orders(user_id))\n    offers = tasks.create_task(fetch_offers())";
/// How deep it is looked for what a function waits for.
const LEVELS: usize = 12;

/// Waits of one kind, one after the other, under one call.
struct Run {
    work: Work,
    /// What is called there.
    places: Vec<usize>,
    /// What they wait for in the end.
    waits: Vec<usize>,
}

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    if ground.work.len() < ground.limits.sequential_awaits {
        return;
    }
    for place in ground.places() {
        if ground.node(place).children.len() >= ground.limits.sequential_awaits {
            runs(ground, place).into_iter().for_each(|run| judge(ground, found, place, &run));
        }
    }
}

fn runs(ground: &Ground<'_>, parent: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open = false;
    for &child in &ground.node(parent).children {
        let call = ground.call(child);
        let Some((work, wait)) = awaited(ground, child) else {
            // a little computing in between, as of what an answer means, changes nothing
            let last = runs.last().and_then(|run| run.places.last());
            open = open && last.is_some_and(|&last| call.duration_ns <= ground.call(last).duration_ns / 5);
            continue;
        };
        let follows = open
            && runs.last().is_some_and(|run| {
                let last = ground.call(run.places[run.places.len() - 1]);
                let (_, end) = span(last);
                let gap = call.start_ns.saturating_sub(end);
                run.work == work
                    && gap >= 0
                    && gap.unsigned_abs() <= last.duration_ns.max(call.duration_ns) / 2
            });
        match runs.last_mut() {
            Some(run) if follows => {
                run.places.push(child);
                run.waits.push(wait);
            }
            _ => runs.push(Run { work, places: vec![child], waits: vec![wait] }),
        }
        open = true;
    }
    runs
}

/// What a call waits for nearly all of its time, if that may be asked for at the same time as something else.
fn awaited(ground: &Ground<'_>, place: usize) -> Option<(Work, usize)> {
    let mut reached = place;
    for _ in 0..LEVELS {
        let call = ground.call(reached);
        if call.exception.is_some() {
            return None;
        }
        match call.work {
            Work::Function => {
                let children = ground.node(reached).children.iter().copied();
                let longest = children.max_by_key(|&child| ground.call(child).duration_ns)?;
                if ground.call(longest).duration_ns < call.duration_ns / 5 * 4 {
                    return None;
                }
                reached = longest;
            }
            Work::Database => {
                return is_read(ground.statement(reached)?).then_some((Work::Database, reached));
            }
            Work::ExternalApi => {
                let method = call.detail.as_ref().and_then(|detail| detail.operation.as_deref());
                let writes = ["POST", "PUT", "PATCH", "DELETE"];
                let is_write =
                    method.is_some_and(|method| writes.iter().any(|w| method.eq_ignore_ascii_case(w)));
                return (!is_write && !ground.failed(reached)).then_some((Work::ExternalApi, reached));
            }
            work @ (Work::Model | Work::Tool) => return Some((work, reached)),
            Work::Request | Work::Cache | Work::Queue => return None,
        }
    }
    None
}

fn judge(ground: &Ground<'_>, found: &mut Found, parent: usize, run: &Run) {
    let limits = ground.limits;
    let durations = run.places.iter().map(|&place| ground.call(place).duration_ns);
    let longest = durations.max().unwrap_or_default();
    let cost_ns = ground.busy(run.places.iter().copied());
    let saving_ns = cost_ns.saturating_sub(longest);
    // models are asked one after the other because the second is told what the first said; queries of one transaction
    // have to wait for each other
    let (least, share, floor) = match run.work {
        Work::Model => (limits.sequential_awaits + 1, 0.2, limits.sequential_ms),
        Work::Database => (limits.sequential_awaits, 0.3, limits.sequential_ms.saturating_mul(2)),
        _ => (limits.sequential_awaits, 0.2, limits.sequential_ms),
    };
    let is_much = saving_ns >= floor.saturating_mul(1_000_000) && ground.share(saving_ns) >= share;
    if run.places.len() < least || !is_much || found.is_full() || found.explains(ground, &run.waits) {
        return;
    }
    let whom = match run.work {
        Work::Database => "the database",
        Work::Model => "a model",
        Work::Tool => "tools",
        _ => "other servers",
    };
    let at = ground.own(parent);
    let (function, count, impact) = (quoted(&ground.name(at)), run.places.len(), ground.share(cost_ns));
    found.add(
        ground,
        Fault {
            rule: Rule::SequentialAwaits,
            kind: if run.work == Work::Database { Bottleneck::Database } else { Bottleneck::Io },
            severity: Severity::of(ground.share(saving_ns), saving_ns),
            at,
            places: &run.places,
            cost_ns,
            saving_ns,
            description: format!(
                "{function} waits for {whom} {count} times, one after the other: {} in all, {} of the request; at once it \
                 would take {}",
                time(cost_ns),
                percent(impact),
                time(longest)
            ),
            advice: Remedy {
                category: Category::Architecture,
                title: format!("Let {function} wait for {whom} at once"),
                description: "Where none needs what the one before brought, begin all of them, then wait for all: \
                              asyncio.TaskGroup or asyncio.gather; in code that isn't asynchronous, a thread pool. Queries \
                              need a connection each, or one query that brings it all.",
                code_example: Some(GATHER),
            },
        },
    );
    found.explain(&run.waits);
}
