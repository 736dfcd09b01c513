//! One statement again and again from one place: a query for each row of another, or one that could be asked once.

use super::finding::{Bottleneck, Category, Rule, Severity};
use super::found::{Fault, Found, Remedy, percent, quoted, time};
use super::ground::Ground;
use super::loops::{self, Loop};
use crate::trace::Work;

const JOIN: &str = "# one query for all, instead of one for each\nids = [row.id for row in rows]\nfound = \
                    session.scalars(select(Item).where(Item.row_id.in_(ids)))\nby_row = defaultdict(list)\nfor item in found:\n    \
                    by_row[item.row_id].append(item)";
const ONCE: &str = "# ask once, and hand on what came\nsettings = load_settings(connection)\nfor row in rows:\n    apply(row, settings)";
const MANY: &str = "connection.executemany(\"INSERT INTO items (row_id, name) VALUES (?, ?)\", items)";

pub(super) fn find(ground: &Ground<'_>, found: &mut Found) {
    let limits = ground.limits;
    let queries = ground.work.iter().copied().filter(|&place| ground.call(place).work == Work::Database);
    let queries = queries.filter_map(|place| Some((place, ground.statement(place)?)));
    for one in loops::find(ground, queries, limits.few_repeated.min(limits.repeated_queries)) {
        if found.is_full() {
            return;
        }
        let cost_ns = ground.busy(one.places.iter().copied());
        let many = one.places.len() >= limits.repeated_queries
            || cost_ns >= limits.repeated_ms.saturating_mul(1_000_000);
        if many && ground.in_sequence(&one.places) && !found.explains(ground, &one.places) {
            tell(ground, found, &one, cost_ns);
        }
    }
}

fn tell(ground: &Ground<'_>, found: &mut Found, one: &Loop, cost_ns: u64) {
    let statement = ground.statement(one.places[0]).unwrap_or_default();
    let (at, count) = (ground.own(one.at), one.places.len());
    let function = quoted(&ground.name(at));
    let first = one.places[0];
    let before = ground.work.iter().rev().find(|&&place| {
        place > at
            && place < first
            && ground.call(place).work == Work::Database
            && ground.statement(place).is_some_and(|other| is_read(other) && other != statement)
    });
    let same = same_arguments(ground, &one.places);
    let (rule, advice) = match before {
        _ if !is_read(statement) => (
            Rule::RepeatedQuery,
            Remedy {
                category: Category::Database,
                title: format!("Write the rows of {function} in one statement"),
                description: "Each statement is a round trip of its own. Send the rows together: executemany, an INSERT of \
                              several rows, or an UPDATE that joins its values.",
                code_example: Some(MANY),
            },
        ),
        Some(_) if !same => (
            Rule::NPlusOne,
            Remedy {
                category: Category::Database,
                title: format!("Fetch what {function} needs for all rows in one query"),
                description: "After one query for a list, another is made for each of its rows. Join both, fetch the second \
                              for all rows at once (WHERE … IN), or let the ORM do so (selectinload, joinedload, \
                              prefetch_related, select_related).",
                code_example: Some(JOIN),
            },
        ),
        _ => (
            Rule::RepeatedQuery,
            Remedy {
                category: if same { Category::Caching } else { Category::Database },
                title: format!("Ask once what {function} asks the database again and again"),
                description: "The same statement is sent over and over. Ask for all values in one query, or keep the answer \
                              for the rest of the request.",
                code_example: Some(ONCE),
            },
        ),
    };
    let impact = ground.share(cost_ns);
    let told = match rule {
        Rule::NPlusOne => "makes a query for each row of another",
        _ => "sends one statement over and over",
    };
    let severity = Severity::of(impact, cost_ns).max(match count {
        100.. => Severity::Medium,
        _ => Severity::Low,
    });
    found.add(
        ground,
        Fault {
            rule,
            kind: Bottleneck::Database,
            severity,
            at,
            places: &one.places,
            cost_ns,
            // one query for all takes the time of about two
            saving_ns: cost_ns - cost_ns / count as u64 * 2.min(count as u64),
            description: format!(
                "{function} {told}: {count} times {}, {} in all, {} of the request",
                quoted(statement),
                time(cost_ns),
                percent(impact)
            ),
            advice,
        },
    );
}

/// Whether all were asked with the same values, as far as they were told.
fn same_arguments(ground: &Ground<'_>, places: &[usize]) -> bool {
    let mut told = places.iter().map(|&place| ground.arguments(place));
    let first = told.next().flatten();
    first.is_some() && told.all(|arguments| arguments == first)
}

/// Whether a statement reads, as far as its first word says.
pub(super) fn is_read(statement: &str) -> bool {
    let word = statement.split_whitespace().next().unwrap_or_default();
    ["select", "with", "find", "aggregate", "show", "get"].iter().any(|read| word.eq_ignore_ascii_case(read))
}
