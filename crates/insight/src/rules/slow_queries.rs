//! Slow queries.

use std::collections::HashMap;

use super::collector::{AdviceDraft, Collector, FindingDraft, one_line, percent, quoted, time};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;
use crate::trace::OperationKind;

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    let slow_ns = trace.limits.slow_query_ms.saturating_mul(1_000_000);
    let mut groups: HashMap<(usize, &str), Vec<usize>> = HashMap::new();
    for &position in &trace.external_calls {
        let call = trace.call(position);
        if call.kind == OperationKind::Database && call.duration_ns >= slow_ns {
            let statement = trace.statement(position).unwrap_or(&call.function.name);
            groups.entry((trace.function(trace.owner(position)), statement)).or_default().push(position);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, positions)| positions[0]);
    for ((_, statement), positions) in groups {
        if collector.is_full() {
            return;
        }
        let at = trace.owner(positions[0]);
        let function = quoted(&trace.name(at));
        let cost_ns = trace.busy(positions.iter().copied());
        let slowest =
            positions.iter().map(|&position| trace.call(position).duration_ns).max().unwrap_or_default();
        let times = if positions.len() == 1 { String::new() } else { format!(", {} times", positions.len()) };
        let impact = trace.share(cost_ns);
        collector.add(
            trace,
            FindingDraft {
                rule: Rule::SlowQuery,
                kind: Bottleneck::Database,
                severity: Severity::of(impact, cost_ns),
                at,
                positions: &positions,
                cost_ns,
                // assumption: with an index, a query takes a tenth of the slow-query threshold
                saving_ns: cost_ns.saturating_sub((slow_ns / 10).saturating_mul(positions.len() as u64)),
                description: format!(
                    "{function} waits up to {} for {}{times}, {} of the request",
                    time(slowest),
                    quoted(statement),
                    percent(impact)
                ),
                parameters: FindingParameters {
                    statement: Some(one_line(statement)),
                    longest_ns: Some(slowest),
                    ..FindingParameters::default()
                },
                advice: AdviceDraft {
                    category: Category::Database,
                    code: FindingCode::SpeedUpQuery,
 subject: Some(statement.to_owned()),
                    title: format!("Speed up the query of {function}: {}", quoted(statement)),
                    description: "Check its plan (EXPLAIN ANALYZE): add an index on the columns of WHERE, JOIN and ORDER BY, \
                                  select fewer columns, add a limit, or store precomputed results.",
                    code_example: Some("EXPLAIN ANALYZE SELECT …;\nCREATE INDEX ON orders (customer_id, created_at);"),
                },
            },
        );
    }
}
