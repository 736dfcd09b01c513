use loam_testkit::{Database, on_both};
use sea_orm::{ColumnTrait, QueryFilter};

use super::*;
use crate::call_trees::entity::{Column, Entity};
use crate::records::Finalise;

on_both![
    sums_are_those_of_a_recount_however_parts_come,
    nodes_that_are_told_of_one_trace_at_once_lose_and_double_nothing,
    what_lies_days_apart_is_two_traces_until_something_joins_them,
    a_quiet_trace_is_made_one_row_and_may_still_grow,
];

/// Stories told to one project in parts, out of order, again and again, over two nodes, and to another whole: rows and sums
/// must be the same.
async fn sums_are_those_of_a_recount_however_parts_come(database: Database) {
    let bed = Bed::new(database).await;
    let (pieces, whole) = (bed.project("pieces").await, bed.project("whole").await);
    let tenant = bed.scope().tenant();
    for seed in 1..=6 {
        let mut dice = Dice(seed * 7919);
        let stories: Vec<Story> = (0..8)
            .map(|number| {
                let at = lately(&bed) + TimeDelta::seconds(dice.roll(600) as i64);
                story(seed as usize * 100 + number, at, &mut dice)
            })
            .collect();
        let nodes = [sink(&bed.clock, 1, LiveConfig::default()), sink(&bed.clock, 2, LiveConfig::default())];
        let mut parts = Vec::new();
        for story in &stories {
            let mut numbers: Vec<usize> = (0..story.calls.len()).collect();
            dice.shuffle(&mut numbers);
            let mut rest = numbers.as_slice();
            while !rest.is_empty() {
                let (some, others) = rest.split_at(1 + dice.roll(rest.len()));
                // now and then with some that were told before
                let mut some = some.to_vec();
                some.extend((0..dice.roll(3)).map(|_| numbers[dice.roll(numbers.len())]));
                parts.push(story.part(tenant, pieces, &some));
                rest = others;
            }
        }
        let again: Vec<Part> = (0..parts.len() / 3).map(|_| parts[dice.roll(parts.len())].clone()).collect();
        parts.extend(again);
        dice.shuffle(&mut parts);
        let mut rest = parts.as_slice();
        while !rest.is_empty() {
            let (some, others) = rest.split_at((1 + dice.roll(6)).min(rest.len()));
            take(&bed, &nodes[dice.roll(2)], some).await;
            rest = others;
        }
        let all: Vec<Part> = stories.iter().map(|story| story.whole(tenant, whole)).collect();
        take(&bed, &nodes[0], &all).await;
        let (in_pieces, recount) = (sums(&bed, pieces).await, sums(&bed, whole).await);
        assert!(recount.len() > 20, "there is something to compare");
        assert_eq!(in_pieces, recount, "seed {seed}");
        assert_eq!(records(&bed, pieces).await, records(&bed, whole).await, "seed {seed}");
        // told once more as a whole, which changes nothing
        let all: Vec<Part> = stories.iter().map(|story| story.whole(tenant, pieces)).collect();
        take(&bed, &nodes[1], &all).await;
        assert_eq!(sums(&bed, pieces).await, recount, "seed {seed}, told again");
    }
}

async fn nodes_that_are_told_of_one_trace_at_once_lose_and_double_nothing(database: Database) {
    let bed = Bed::new(database).await;
    let (pieces, whole) = (bed.project("pieces").await, bed.project("whole").await);
    let tenant = bed.scope().tenant();
    let mut dice = Dice(11);
    let stories: Vec<Story> = (0..12).map(|number| story(number, lately(&bed), &mut dice)).collect();
    let parts = |from: usize| -> Vec<Part> {
        let some =
            |story: &Story| (0..story.calls.len()).filter(|number| number % 3 != from).collect::<Vec<_>>();
        stories
            .iter()
            .map(|story| story.part(tenant, pieces, &some(story)))
            .filter(|part| !part.calls.is_empty())
            .collect()
    };
    let nodes: Vec<RecordSink> = (1..=3).map(|node| sink(&bed.clock, node, LiveConfig::default())).collect();
    let (first, second, third) = (parts(0), parts(1), parts(2));
    tokio::join!(
        take(&bed, &nodes[0], &first),
        take(&bed, &nodes[1], &second),
        take(&bed, &nodes[2], &third)
    );
    let all: Vec<Part> = stories.iter().map(|story| story.whole(tenant, whole)).collect();
    take(&bed, &nodes[0], &all).await;
    assert_eq!(sums(&bed, pieces).await, sums(&bed, whole).await);
    assert_eq!(records(&bed, pieces).await, records(&bed, whole).await);
}

async fn what_lies_days_apart_is_two_traces_until_something_joins_them(database: Database) {
    let bed = Bed::new(database).await;
    let (apart, whole) = (bed.project("apart").await, bed.project("whole").await);
    let (tenant, node) = (bed.scope().tenant(), sink(&bed.clock, 1, LiveConfig::default()));
    let at = lately(&bed) - TimeDelta::hours(40);
    let told = Story {
        trace_id: "job".to_owned(),
        entries: vec![entry("a", "POST /jobs", None)],
        calls: vec![
            call("a", None, "run", at, 50 * 3_600_000_000),
            call("c", Some("a"), "late", at + TimeDelta::hours(36), 5_000),
            call("b", Some("a"), "between", at + TimeDelta::hours(18), 7_000),
        ],
    };
    take(&bed, &node, &[told.part(tenant, apart, &[0])]).await;
    take(&bed, &node, &[told.part(tenant, apart, &[1])]).await;
    let lone = records(&bed, apart).await;
    assert!(lone.values().all(|row| row.contains("call_count: 1")), "{lone:?}");
    take(&bed, &node, &[told.part(tenant, apart, &[2])]).await;
    take(&bed, &node, &[told.whole(tenant, whole)]).await;
    assert_eq!(sums(&bed, apart).await, sums(&bed, whole).await);
    assert_eq!(records(&bed, apart).await, records(&bed, whole).await);
}

async fn a_quiet_trace_is_made_one_row_and_may_still_grow(database: Database) {
    let bed = Bed::new(database).await;
    let (pieces, whole) = (bed.project("pieces").await, bed.project("whole").await);
    let (tenant, node) = (bed.scope().tenant(), sink(&bed.clock, 1, LiveConfig::default()));
    let mut dice = Dice(5);
    let mut told = story(1, lately(&bed), &mut dice);
    while told.calls.len() < 9 {
        told = story(1, lately(&bed), &mut dice);
    }
    let others: Vec<usize> = (6..told.calls.len()).collect();
    take(&bed, &node, &[told.part(tenant, pieces, &[0, 1, 2])]).await;
    take(&bed, &node, &[told.part(tenant, pieces, &[3, 4])]).await;
    take(&bed, &node, &[told.part(tenant, pieces, &[5])]).await;
    let rows = async || {
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let rows = tx.find::<Entity>().filter(Column::ProjectId.eq(pieces)).all().await.unwrap();
        let mut rows: Vec<(i64, bool)> = rows.iter().map(|row| (row.call_count, row.is_final)).collect();
        rows.sort_unstable();
        rows
    };
    // the first lacks nothing that it knows of
    assert_eq!(rows().await, [(1, false), (2, false), (3, true)]);
    let (finalise, scope) = (Finalise(bed.insight.clone()), Scope::system(TenantId::NIL, "test"));
    bed.clock.advance(TimeDelta::seconds(60));
    assert_eq!(finalise.sweep(&scope, || false).await.unwrap(), 0, "it may not be quiet yet");
    bed.clock.advance(TimeDelta::seconds(61));
    let before = sums(&bed, pieces).await;
    assert_eq!(finalise.sweep(&scope, || false).await.unwrap(), 3);
    assert_eq!(finalise.sweep(&scope, || false).await.unwrap(), 0, "once is enough");
    assert_eq!(rows().await, [(6, true)]);
    assert_eq!(sums(&bed, pieces).await, before);
    // what was told before is not kept again; the rest is
    take(&bed, &node, &[told.part(tenant, pieces, &[4, 5])]).await;
    assert_eq!(rows().await, [(6, true)]);
    take(&bed, &node, &[told.part(tenant, pieces, &others)]).await;
    bed.clock.advance(TimeDelta::seconds(121));
    assert_eq!(finalise.sweep(&scope, || false).await.unwrap(), 2);
    assert_eq!(rows().await, [(told.calls.len() as i64, true)]);
    take(&bed, &node, &[told.whole(tenant, whole)]).await;
    assert_eq!(sums(&bed, pieces).await, sums(&bed, whole).await);
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    let rows = tx.find::<Entity>().filter(Column::ProjectId.eq(whole)).all().await.unwrap();
    assert!(rows.iter().all(|row| row.is_final), "what came whole has nothing to wait for");
}

/// PostgreSQL is told how full a table is minutes after it was filled: until then it must not read all of it for each trace.
#[tokio::test]
async fn traces_are_looked_up_by_their_ids_however_full_the_table_has_become() {
    let bed = Bed::new(Database::postgres().await).await;
    let (project, tenant, at) = (bed.project("shop").await, bed.scope().tenant(), lately(&bed));
    let node = sink(&bed.clock, 1, LiveConfig::default());
    let traces = |numbers: std::ops::Range<usize>| -> Vec<batch::Part> {
        let one = |number| {
            let calls = vec![call("0", None, "f", at, 10)];
            let told = Story { trace_id: format!("{number:032x}"), entries: vec![], calls };
            let (head, packed) = packed(&told.whole(tenant, project)).unwrap();
            batch::Part { head, packed }
        };
        numbers.map(one).collect()
    };
    for numbers in [0..400, 400..500] {
        // what a connection has read is told when it ends
        let db = bed.database.another().await;
        let tx = db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        node.take(&tx, traces(numbers)).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await;
    }
    let sql = "SELECT sum(idx_tup_read)::text FROM pg_stat_all_indexes WHERE relname LIKE 'call\\_trees%'";
    let read = bed.database.raw().await.texts(sql).await;
    let read: u64 = read[0].parse().unwrap();
    assert!(read < 1_000, "{read} rows of an index were read for 100 traces that are new");
}
