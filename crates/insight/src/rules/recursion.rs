//! Functions that call themselves very deeply, or very often.

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, percent, quoted, time};
use super::ground::Ground;
use crate::trace::Work;

/// Below this a function isn't recursive enough for its number of calls to be the fault.
const DEPTH_OF_MANY: u32 = 8;
/// The share of a request from which many calls are a fault.
const SHARE_OF_MANY: f64 = 0.2;

/// How far it is looked up from the deepest call.
const MAX_STEPS: usize = 4_096;
/// Functions that recur: more than so many tell nothing more.
const MAX_TOLD: usize = 10;

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    let limits = ground.limits;
    let mut told: Vec<usize> = Vec::new();
    for (number, sums) in ground.functions.iter().enumerate() {
        let (depth, place) = sums.deepest;
        let impact = ground.share(sums.self_ns);
        let is_deep = depth >= limits.recursion_depth;
        let is_often =
            depth >= DEPTH_OF_MANY && sums.calls >= limits.recursion_calls && impact >= SHARE_OF_MANY;
        if ground.call(sums.first).work != Work::Function || !(is_deep || is_often) {
            continue;
        }
        // from the deepest call up
        let mut places = vec![place];
        let (mut others, mut steps) = (0, 0);
        let mut reached = ground.parent(place);
        while let Some(parent) = reached.filter(|_| places.len() < depth as usize && steps < MAX_STEPS) {
            steps += 1;
            if ground.function(parent) == number {
                places.push(parent);
            }
            others += usize::from(told.contains(&ground.function(parent)));
            reached = ground.parent(parent);
        }
        // functions that call each other in turn are one recursion
        if others >= places.len() / 2 {
            continue;
        }
        told.push(number);
        places.reverse();
        if told.len() > MAX_TOLD {
            return;
        }
        let function = quoted(&sums.function.key());
        let severity = Severity::of(impact, sums.self_ns).max(match depth / limits.recursion_depth.max(1) {
            0..4 => Severity::Low,
            4..10 => Severity::Medium,
            _ => Severity::High,
        });
        found.add(
            ground,
            Fault {
                rule: Rule::DeepRecursion,
                kind: Bottleneck::Computation,
                severity,
                at: sums.first,
                places: &places,
                cost_ns: sums.self_ns,
                saving_ns: sums.self_ns.min(ground.total_ns) / 2,
                description: format!(
                    "{function} calls itself {depth} deep, {} calls in all; its own code takes {}, {} of the request",
                    sums.calls,
                    time(sums.self_ns),
                    percent(impact)
                ),
                advice: Remedy {
                    category: Category::Algorithm,
                    title: format!("Make {function} a loop, or let it remember"),
                    description: "A recursion that grows with its data ends in an overflow, and one that comes to the same \
                                  values on many ways takes exponential time. Keep what is computed \
                                  (functools.cache), use a loop with a stack of its own, and bound its depth.",
                    code_example: Some("@functools.cache\ndef ways(step: int) -> int:\n    ..."),
                },
            },
        );
    }
}
