//! Most of the time is spent waiting for external work, and no other rule explains it.

use std::collections::HashMap;

use super::collector::{AdviceDraft, Collector, FindingDraft, percent, quoted, time};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;
use crate::trace::OperationKind;

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    let limits = trace.limits;
    let cost_ns = trace.busy(trace.external_calls.iter().copied());
    let impact = trace.share(cost_ns);
    let is_significant =
        cost_ns >= limits.external_ms.saturating_mul(1_000_000) && impact >= limits.external_share;
    if !is_significant || collector.explains(trace, &trace.external_calls) {
        return;
    }
    let mut owners: HashMap<(usize, OperationKind), Vec<usize>> = HashMap::new();
    for &position in &trace.external_calls {
        let key = (trace.function(trace.owner(position)), trace.call(position).kind);
        owners.entry(key).or_default().push(position);
    }
    let mut owners: Vec<_> = owners.into_iter().map(|(key, positions)| (key, positions, 0)).collect();
    owners.iter_mut().for_each(|(_, positions, busy)| *busy = trace.busy(positions.iter().copied()));
    owners.sort_by_key(|(_, positions, busy)| (std::cmp::Reverse(*busy), positions[0]));
    let Some(((_, work), positions, busy)) = owners.into_iter().next() else { return };
    let at = trace.owner(positions[0]);
    let function = quoted(&trace.name(at));
    let (kind, target) = match work {
        OperationKind::Database => (Bottleneck::Database, "the database"),
        OperationKind::Cache => (Bottleneck::Io, "the cache"),
        OperationKind::Model => (Bottleneck::Io, "a model"),
        OperationKind::Tool => (Bottleneck::Io, "a tool"),
        OperationKind::Queue => (Bottleneck::Io, "a queue"),
        OperationKind::ExternalApi | OperationKind::Function | OperationKind::Request => {
            (Bottleneck::Io, "another server")
        }
    };
    collector.add(
        trace,
        FindingDraft {
            rule: Rule::ExternalTime,
            kind,
            // external time cannot be reduced in the application alone
            severity: Severity::of(impact, cost_ns).min(Severity::Medium),
            at,
            positions: &positions,
            cost_ns,
            saving_ns: 0,
            description: format!(
                "{} of the request is spent outside the application's own code; mostly, {function} waits for {target} \
                 ({} in {} calls)",
                percent(impact),
                time(busy),
                positions.len()
            ),
            parameters: FindingParameters {
                operation: Some(work),
                total_ns: Some(busy),
                ..FindingParameters::default()
            },
            advice: AdviceDraft {
                category: Category::Architecture,
                code: FindingCode::WaitLess,
 subject: Some(work.name().to_owned()),
                title: format!("Let {function} wait less for {target}"),
                description: "Cache responses that rarely change, request less or earlier, move work to a background \
                              job, and set a timeout that suits the request.",
                code_example: None,
            },
        },
    );
}
