//! A cache that is asked again and again and has nothing.

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, percent, quoted, time};
use super::ground::Ground;
use super::loops;
use crate::trace::Work;

const MANY: &str = "values = cache.get_many(keys)\nmissing = [key for key in keys if key not in values]\nif missing:\n    loaded = \
                    load_all(missing)              # one query\n    cache.set_many(loaded, timeout=300)";

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    let limits = ground.limits;
    let lookups: Vec<(usize, &str, bool)> =
        ground.work.iter().filter_map(|&place| lookup(ground, place)).collect();
    let misses = lookups.iter().filter(|(_, _, hit)| !hit).map(|&(place, pattern, _)| (place, pattern));
    for one in loops::find(ground, misses, limits.cache_misses) {
        if found.is_full() {
            return;
        }
        let pattern = ground.statement(one.places[0]).unwrap_or(&ground.call(one.places[0]).function.name);
        let last = one.places[one.places.len() - 1];
        let hits = lookups
            .iter()
            .filter(|(place, other, hit)| *hit && *other == pattern && (one.at..=last).contains(place));
        let all = one.places.len() + hits.count();
        let share = one.places.len() as f64 / all as f64;
        if share < limits.cache_miss_share {
            continue;
        }
        let filling: Vec<usize> = one.places.iter().filter_map(|&place| fills(ground, place)).collect();
        let cost_ns = ground.busy(one.places.iter().chain(&filling).copied());
        let (at, count, impact) = (ground.own(one.at), one.places.len(), ground.share(cost_ns));
        let function = quoted(&ground.name(at));
        found.add(
            ground,
            Fault {
                rule: Rule::CacheMisses,
                kind: Bottleneck::Io,
                severity: Severity::of(impact, cost_ns).max(if count >= 100 { Severity::Medium } else { Severity::Low }),
                at,
                places: &one.places,
                cost_ns,
                saving_ns: cost_ns - cost_ns / count as u64,
                description: format!(
                    "{function} asks the cache {all} times for {} and misses {count} times; with what is then fetched \
                     instead that takes {}, {} of the request",
                    quoted(pattern),
                    time(cost_ns),
                    percent(impact)
                ),
                advice: Remedy {
                    category: Category::Caching,
                    title: format!("Fill the cache that {function} asks, and ask it for many keys at once"),
                    description: "Nearly every look-up misses: the keys differ from those that are written, the values \
                                  pass too soon, or the cache is too small. Ask for all keys in one call, fetch what is \
                                  missing in one query, write it back, and warm what every request needs.",
                    code_example: Some(MANY),
                },
            },
        );
        found.explain(&filling);
    }
}

fn lookup<'a>(ground: &Ground<'a>, place: usize) -> Option<(usize, &'a str, bool)> {
    let call = ground.call(place);
    let hit = call.detail.as_ref().filter(|_| call.work == Work::Cache)?.hit?;
    Some((place, ground.statement(place).unwrap_or(&call.function.name), hit))
}

/// What is fetched instead of what a cache has not: what follows on the look-up under the same call.
fn fills(ground: &Ground<'_>, miss: usize) -> Option<usize> {
    let siblings = &ground.node(ground.parent(miss)?).children;
    let next = *siblings.get(siblings.partition_point(|&sibling| sibling <= miss))?;
    let mut reached = next;
    // through the functions that only fetch
    while ground.call(reached).work == Work::Function {
        let [only] = ground.node(reached).children.as_slice() else { return Some(next) };
        reached = *only;
    }
    (ground.call(reached).work != Work::Cache).then_some(reached)
}
