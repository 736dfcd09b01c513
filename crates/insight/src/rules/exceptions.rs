//! Exceptions that are raised and swallowed, over and over, at one place.

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, percent, quoted, time};
use super::ground::Ground;
use super::loops;

/// What is raised in the ordinary course of things.
const ORDINARY: [&str; 4] = ["StopIteration", "StopAsyncIteration", "GeneratorExit", "CancelledError"];

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    let swallowed = ground.places().filter_map(|place| {
        let raised = raised(ground, place)?;
        let parent = ground.parent(place)?;
        let is_swallowed = ground.call(parent).exception.is_none() && !ORDINARY.contains(&raised);
        is_swallowed.then_some((place, (ground.function(place), raised)))
    });
    for one in loops::find(ground, swallowed, ground.limits.swallowed_exceptions) {
        if found.is_full() {
            return;
        }
        let cost_ns = ground.busy(one.places.iter().copied());
        let (at, count, impact) = (ground.own(one.at), one.places.len(), ground.share(cost_ns));
        let function = quoted(&ground.name(at));
        let raised = raised(ground, one.places[0]).unwrap_or_default();
        found.add(
            ground,
            Fault {
                rule: Rule::SwallowedExceptions,
                kind: Bottleneck::Computation,
                severity: Severity::of(impact, cost_ns).max(match count {
                    500.. => Severity::High,
                    50.. => Severity::Medium,
                    _ => Severity::Low,
                }),
                at,
                places: &one.places,
                cost_ns,
                saving_ns: cost_ns / 2,
                description: format!(
                    "{function} swallows {} {count} times, raised by {}: {}, {} of the request",
                    quoted(raised),
                    quoted(&ground.name(one.places[0])),
                    time(cost_ns),
                    percent(impact)
                ),
                advice: Remedy {
                    category: Category::Algorithm,
                    title: format!("Don't raise over and over what {function} swallows"),
                    description: "Raising and catching costs more than asking first, and a fault that is swallowed is \
                                  never seen. Check before, catch outside of the loop, and log what is unexpected.",
                    code_example: Some("price = prices.get(sku)             # instead of try/except KeyError in the loop"),
                },
            },
        );
    }
}

/// The type of what a call raised.
fn raised<'a>(ground: &Ground<'a>, place: usize) -> Option<&'a str> {
    let told = ground.call(place).exception.as_deref()?;
    let kind = told.split_once(':').map_or(told, |(kind, _)| kind).trim();
    Some(kind.rsplit('.').next().unwrap_or(kind))
}
