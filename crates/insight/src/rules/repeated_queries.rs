//! One statement repeatedly from one function: a query per row of another query, or a query that could run once.

use super::collector::{AdviceDraft, Collector, FindingDraft, one_line, percent, quoted, time};
use super::finding::{Bottleneck, Category, Rule, Severity};
use super::loops::{self, Loop};
use super::parameters::{FindingCode, FindingParameters};
use super::trace_index::TraceIndex;
use crate::trace::OperationKind;

const JOIN: &str = "# one query for all, instead of one per row\nids = [row.id for row in rows]\nfound = \
                    session.scalars(select(Item).where(Item.row_id.in_(ids)))\nby_row = defaultdict(list)\nfor item in found:\n    \
                    by_row[item.row_id].append(item)";
const ONCE: &str = "# query once, and pass the result on\nsettings = load_settings(connection)\nfor row in rows:\n    apply(row, settings)";
const MANY: &str = "connection.executemany(\"INSERT INTO items (row_id, name) VALUES (?, ?)\", items)";

pub(super) fn find(trace: &TraceIndex<'_>, collector: &mut Collector) {
    let limits = trace.limits;
    let queries = trace
        .external_calls
        .iter()
        .copied()
        .filter(|&position| trace.call(position).kind == OperationKind::Database);
    let queries = queries.filter_map(|position| Some((position, trace.statement(position)?)));
    for one in loops::find(trace, queries, limits.few_repeated.min(limits.repeated_queries)) {
        if collector.is_full() {
            return;
        }
        let cost_ns = trace.busy(one.positions.iter().copied());
        let many = one.positions.len() >= limits.repeated_queries
            || cost_ns >= limits.repeated_ms.saturating_mul(1_000_000);
        if many && trace.in_sequence(&one.positions) && !collector.explains(trace, &one.positions) {
            report(trace, collector, &one, cost_ns);
        }
    }
}

fn report(trace: &TraceIndex<'_>, collector: &mut Collector, one: &Loop, cost_ns: u64) {
    let statement = trace.statement(one.positions[0]).unwrap_or_default();
    let (at, count) = (trace.application_call(one.at), one.positions.len());
    let function = quoted(&trace.name(at));
    let first = one.positions[0];
    let before = trace.external_calls.iter().rev().find(|&&position| {
        position > at
            && position < first
            && trace.call(position).kind == OperationKind::Database
            && trace.statement(position).is_some_and(|other| is_read(other) && other != statement)
    });
    let same = same_arguments(trace, &one.positions);
    let (rule, advice) = match before {
        _ if !is_read(statement) => (
            Rule::RepeatedQuery,
            AdviceDraft {
                category: Category::Database,
                code: FindingCode::WriteRowsTogether,
                subject: None,
                title: format!("Write the rows of {function} in one statement"),
                description: "Each statement is a separate round trip. Send the rows together: executemany, an INSERT of \
                              several rows, or an UPDATE that joins its values.",
                code_example: Some(MANY),
            },
        ),
        Some(_) if !same => (
            Rule::NPlusOne,
            AdviceDraft {
                category: Category::Database,
                code: FindingCode::FetchRowsTogether,
                subject: None,
                title: format!("Fetch what {function} needs for all rows in one query"),
                description: "After one query for a list, another is made for each of its rows. Join both, run the second \
                              query for all rows at once (WHERE … IN), or let the ORM do so (selectinload, joinedload, \
                              prefetch_related, select_related).",
                code_example: Some(JOIN),
            },
        ),
        _ => (
            Rule::RepeatedQuery,
            AdviceDraft {
                category: if same { Category::Caching } else { Category::Database },
                code: FindingCode::QueryOnce,
                subject: None,
                title: format!("Run the repeated query of {function} once"),
                description: "The same statement is sent repeatedly. Query all values at once, or reuse the result for the \
                              rest of the request.",
                code_example: Some(ONCE),
            },
        ),
    };
    let between_ns = one.between_ns(trace);
    let (query_ns, cost_ns) = (cost_ns, cost_ns.saturating_add(between_ns));
    let impact = trace.share(cost_ns);
    let verb = match rule {
        Rule::NPlusOne => "makes one query per row of another query",
        _ => "sends one statement repeatedly",
    };
    let severity = Severity::of(impact, cost_ns).max(match count {
        100.. => Severity::Medium,
        _ => Severity::Low,
    });
    collector.add(
        trace,
        FindingDraft {
            rule,
            kind: Bottleneck::Database,
            severity,
            at,
            positions: &one.positions,
            cost_ns,
            // assumption: one query for all rows takes as long as two queries
            saving_ns: cost_ns - cost_ns / count as u64 * 2.min(count as u64),
            description: format!(
                "{function} {verb}: {count} times {}, {} in total, of which {} in the database, {} of the request",
                quoted(statement),
                time(cost_ns),
                time(query_ns),
                percent(impact)
            ),
            parameters: FindingParameters {
                statement: Some(one_line(statement)),
                total_ns: Some(cost_ns),
                database_ns: Some(query_ns),
                ..FindingParameters::default()
            },
            advice,
        },
    );
}

/// Whether all queries have the same arguments; false if they were not reported.
fn same_arguments(trace: &TraceIndex<'_>, positions: &[usize]) -> bool {
    let mut arguments = positions.iter().map(|&position| trace.arguments(position));
    let first = arguments.next().flatten();
    first.is_some() && arguments.all(|other| other == first)
}

/// Whether a statement reads, judged by its first word.
pub(super) fn is_read(statement: &str) -> bool {
    let word = statement.split_whitespace().next().unwrap_or_default();
    ["select", "with", "find", "aggregate", "show", "get"].iter().any(|read| word.eq_ignore_ascii_case(read))
}
