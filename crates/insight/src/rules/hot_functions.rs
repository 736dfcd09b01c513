//! Functions whose own code takes most of the request.

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, percent, quoted, time};
use super::ground::Ground;
use crate::trace::Work;

/// What runs at once may be hot together; more than so many tell nothing more.
const MAX_HOT: usize = 20;

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    let (limits, mut looked_at) = (ground.limits, 0);
    for (number, sums) in ground.functions.iter().enumerate() {
        let impact = ground.share(sums.self_ns);
        let work = ground.call(sums.first).work;
        let is_code = matches!(work, Work::Function | Work::Request);
        let is_hot = impact >= limits.hot_share && sums.self_ns >= limits.hot_ms.saturating_mul(1_000_000);
        let name = sums.function.key();
        let recursive = found
            .findings
            .iter()
            .any(|finding| finding.rule == Rule::DeepRecursion && finding.function == name);
        if !is_code || !is_hot || recursive {
            continue;
        }
        looked_at += 1;
        if looked_at > MAX_HOT {
            return;
        }
        let all: Vec<usize> = ground.places().filter(|&place| ground.function(place) == number).collect();
        if found.explains(ground, &all) {
            continue;
        }
        let function = quoted(&name);
        let waits = sums.cpu_ns.is_some_and(|cpu| cpu < sums.self_ns / 5);
        let is_request = work == Work::Request && sums.function.file_path.is_none();
        let (kind, told, advice) = if waits {
            let advice = Remedy {
                category: Category::Architecture,
                title: format!("Find what {function} waits for"),
                description: "It uses little of the processor: it sleeps, waits for a lock, or for input and output that \
                              isn't traced. Trace it, then wait less, or do something else meanwhile.",
                code_example: None,
            };
            (Bottleneck::Io, "waits, in code that isn't traced,", advice)
        } else if is_request {
            let advice = Remedy {
                category: Category::Algorithm,
                title: format!("Trace what happens in {function}"),
                description: "The time is in no call that was told. Trace the functions that serve this endpoint to see \
                              which of them takes it.",
                code_example: None,
            };
            (Bottleneck::Computation, "is busy, in no call that was told,", advice)
        } else {
            let advice = Remedy {
                category: Category::Algorithm,
                title: format!("Make {function} compute less"),
                description: "Its own code takes most of the request. Look for nested loops over the same data, lists that \
                              are searched where a set or a dict would do, values that are computed again in a loop, and \
                              work that could be done once, ahead of time, or outside of the request.",
                code_example: Some(
                    "known = set(known)          # a look-up instead of a search\nnew = [item for item in items if item not in known]",
                ),
            };
            (Bottleneck::Computation, "computes", advice)
        };
        let slowest = [sums.slowest];
        found.add(
            ground,
            Fault {
                rule: Rule::HotFunction,
                kind,
                severity: Severity::of(impact, sums.self_ns),
                at: sums.first,
                places: &slowest,
                cost_ns: sums.self_ns,
                saving_ns: sums.self_ns.min(ground.total_ns) / 2,
                description: format!(
                    "{function} {told} for {} by itself, {} of the request, in {} calls",
                    time(sums.self_ns),
                    percent(impact),
                    sums.calls
                ),
                advice,
            },
        );
    }
}
