//! Memory that is still there when the request has ended.

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, quoted};
use super::ground::Ground;

/// Bytes in a megabyte.
const MB: i64 = 1 << 20;

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    let limit = i64::try_from(ground.limits.memory_growth_mb).unwrap_or(i64::MAX).saturating_mul(MB);
    let mut own = vec![0_i64; ground.functions.len()];
    // most of each function, to point at
    let mut most = vec![(0_i64, ground.root); ground.functions.len()];
    let mut top = 0_i64;
    for place in ground.places() {
        let Some(delta) = ground.call(place).memory_delta else { continue };
        let below = ground.node(place).children.iter().filter_map(|&child| ground.call(child).memory_delta);
        let kept = delta.saturating_sub(below.fold(0, i64::saturating_add));
        let function = ground.function(place);
        own[function] = own[function].saturating_add(kept);
        if kept > most[function].0 {
            most[function] = (kept, place);
        }
        if ground.parent(place).is_none_or(|parent| ground.call(parent).memory_delta.is_none()) {
            top = top.saturating_add(delta);
        }
    }
    let growth = ground.call(ground.root).memory_delta.unwrap_or(top);
    let Some((function, &kept)) = own.iter().enumerate().max_by_key(|(_, kept)| **kept) else { return };
    if growth < limit || kept < growth / 2 {
        return;
    }
    let at = ground.own(most[function].1);
    let name = quoted(&ground.name(at));
    let severity = match growth / limit.max(1) {
        0..2 => Severity::Low,
        2..8 => Severity::Medium,
        8..32 => Severity::High,
        _ => Severity::Critical,
    };
    let places = [most[function].1];
    found.add(
        ground,
        Fault {
            rule: Rule::MemoryGrowth,
            kind: Bottleneck::Memory,
            severity,
            at,
            places: &places,
            cost_ns: 0,
            saving_ns: 0,
            description: format!(
                "{} MB more memory are in use when the request has ended; {name} keeps {} MB of them",
                growth / MB,
                kept / MB
            ),
            advice: Remedy {
                category: Category::Architecture,
                title: format!("Let go of what {name} keeps"),
                description: "What outlives the request is reached from something that stays: a list or dict of the module, \
                              a cache without a bound, a handler that is registered each time. Bound it, or keep it with \
                              the request.",
                code_example: Some("cache = LRUCache(maxsize=1_000)     # instead of a dict that only grows"),
            },
        },
    );
}
