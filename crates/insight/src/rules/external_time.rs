//! Most of the time is spent waiting for others, and no other rule says why.

use std::collections::HashMap;

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, percent, quoted, time};
use super::ground::Ground;
use crate::trace::Work;

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    let limits = ground.limits;
    let cost_ns = ground.busy(ground.work.iter().copied());
    let impact = ground.share(cost_ns);
    let is_much = cost_ns >= limits.external_ms.saturating_mul(1_000_000) && impact >= limits.external_share;
    if !is_much || found.explains(ground, &ground.work) {
        return;
    }
    let mut owners: HashMap<(usize, Work), Vec<usize>> = HashMap::new();
    for &place in &ground.work {
        let key = (ground.function(ground.owner(place)), ground.call(place).work);
        owners.entry(key).or_default().push(place);
    }
    let mut owners: Vec<_> = owners.into_iter().map(|(key, places)| (key, places, 0)).collect();
    owners.iter_mut().for_each(|(_, places, busy)| *busy = ground.busy(places.iter().copied()));
    owners.sort_by_key(|(_, places, busy)| (std::cmp::Reverse(*busy), places[0]));
    let Some(((_, work), places, busy)) = owners.into_iter().next() else { return };
    let at = ground.owner(places[0]);
    let function = quoted(&ground.name(at));
    let (kind, whom) = match work {
        Work::Database => (Bottleneck::Database, "the database"),
        Work::Cache => (Bottleneck::Io, "the cache"),
        Work::Model => (Bottleneck::Io, "a model"),
        Work::Tool => (Bottleneck::Io, "a tool"),
        Work::Queue => (Bottleneck::Io, "a queue"),
        Work::ExternalApi | Work::Function | Work::Request => (Bottleneck::Io, "another server"),
    };
    found.add(
        ground,
        Fault {
            rule: Rule::ExternalTime,
            kind,
            // what others take can't be mended here alone
            severity: Severity::of(impact, cost_ns).min(Severity::Medium),
            at,
            places: &places,
            cost_ns,
            saving_ns: 0,
            description: format!(
                "{} of the request is spent outside the application's own code; most of it {function} waits for {whom} \
                 ({} in {} calls)",
                percent(impact),
                time(busy),
                places.len()
            ),
            advice: Remedy {
                category: Category::Architecture,
                title: format!("Let {function} wait less for {whom}"),
                description: "Keep answers that don't change often, ask for less or earlier, answer before the work is done \
                              (a background job), and set a time-out that the request can bear.",
                code_example: None,
            },
        },
    );
}
