use loam_testkit::{Database, on_both};
use sea_orm::{ColumnTrait, QueryFilter};

use super::*;
use crate::call_trees::entity::{Column, Entity};
use crate::records::Finalise;

on_both![
    sums_equal_a_recount_in_any_order_of_chunks,
    concurrent_nodes_neither_lose_nor_duplicate_spans,
    chunks_days_apart_are_two_traces_until_another_connects_them,
    an_idle_trace_is_merged_and_can_still_grow,
];

/// Traces sent to one project in chunks, out of order, repeatedly and over two nodes, and to another one whole: rows
/// and sums must be equal.
async fn sums_equal_a_recount_in_any_order_of_chunks(database: Database) {
    let bed = Fixture::new(database).await;
    let (in_chunks, whole) = (bed.project("chunks").await, bed.project("whole").await);
    let tenant = bed.scope().tenant();
    for seed in 1..=6 {
        let mut rng = Rng(seed * 7919);
        let samples: Vec<SampleTrace> = (0..8)
            .map(|number| {
                let at = recent_time(&bed) + TimeDelta::seconds(rng.below(600) as i64);
                sample_trace(seed as usize * 100 + number, at, &mut rng)
            })
            .collect();
        let nodes = [sink(&bed.clock, 1, LiveConfig::default()), sink(&bed.clock, 2, LiveConfig::default())];
        let mut chunks = Vec::new();
        for sample_trace in &samples {
            let mut numbers: Vec<usize> = (0..sample_trace.spans.len()).collect();
            rng.shuffle(&mut numbers);
            let mut rest = numbers.as_slice();
            while !rest.is_empty() {
                let (some, others) = rest.split_at(1 + rng.below(rest.len()));
                // sometimes with spans that were sent before
                let mut some = some.to_vec();
                some.extend((0..rng.below(3)).map(|_| numbers[rng.below(numbers.len())]));
                chunks.push(sample_trace.chunk(tenant, in_chunks, &some));
                rest = others;
            }
        }
        let again: Vec<TraceChunk> =
            (0..chunks.len() / 3).map(|_| chunks[rng.below(chunks.len())].clone()).collect();
        chunks.extend(again);
        rng.shuffle(&mut chunks);
        let mut rest = chunks.as_slice();
        while !rest.is_empty() {
            let (some, others) = rest.split_at((1 + rng.below(6)).min(rest.len()));
            write_chunks(&bed, &nodes[rng.below(2)], some).await;
            rest = others;
        }
        let all: Vec<TraceChunk> =
            samples.iter().map(|sample_trace| sample_trace.whole(tenant, whole)).collect();
        write_chunks(&bed, &nodes[0], &all).await;
        let (in_pieces, recount) = (sums(&bed, in_chunks).await, sums(&bed, whole).await);
        assert!(recount.len() > 20, "there is something to compare");
        assert_eq!(in_pieces, recount, "seed {seed}");
        assert_eq!(records(&bed, in_chunks).await, records(&bed, whole).await, "seed {seed}");
        // sent once more as a whole, which changes nothing
        let all: Vec<TraceChunk> =
            samples.iter().map(|sample_trace| sample_trace.whole(tenant, in_chunks)).collect();
        write_chunks(&bed, &nodes[1], &all).await;
        assert_eq!(sums(&bed, in_chunks).await, recount, "seed {seed}, sent again");
    }
}

async fn concurrent_nodes_neither_lose_nor_duplicate_spans(database: Database) {
    let bed = Fixture::new(database).await;
    let (in_chunks, whole) = (bed.project("chunks").await, bed.project("whole").await);
    let tenant = bed.scope().tenant();
    let mut rng = Rng(11);
    let samples: Vec<SampleTrace> =
        (0..12).map(|number| sample_trace(number, recent_time(&bed), &mut rng)).collect();
    let chunks_from = |from: usize| -> Vec<TraceChunk> {
        let some = |sample_trace: &SampleTrace| {
            (0..sample_trace.spans.len()).filter(|number| number % 3 != from).collect::<Vec<_>>()
        };
        samples
            .iter()
            .map(|sample_trace| sample_trace.chunk(tenant, in_chunks, &some(sample_trace)))
            .filter(|chunk| !chunk.spans.is_empty())
            .collect()
    };
    let nodes: Vec<RecordSink> = (1..=3).map(|node| sink(&bed.clock, node, LiveConfig::default())).collect();
    let (first, second, third) = (chunks_from(0), chunks_from(1), chunks_from(2));
    tokio::join!(
        write_chunks(&bed, &nodes[0], &first),
        write_chunks(&bed, &nodes[1], &second),
        write_chunks(&bed, &nodes[2], &third)
    );
    let all: Vec<TraceChunk> = samples.iter().map(|sample_trace| sample_trace.whole(tenant, whole)).collect();
    write_chunks(&bed, &nodes[0], &all).await;
    assert_eq!(sums(&bed, in_chunks).await, sums(&bed, whole).await);
    assert_eq!(records(&bed, in_chunks).await, records(&bed, whole).await);
}

async fn chunks_days_apart_are_two_traces_until_another_connects_them(database: Database) {
    let bed = Fixture::new(database).await;
    let (project, whole) = (bed.project("shop").await, bed.project("whole").await);
    let (tenant, node) = (bed.scope().tenant(), sink(&bed.clock, 1, LiveConfig::default()));
    let at = recent_time(&bed) - TimeDelta::hours(40);
    let sample = SampleTrace {
        trace_id: "job".to_owned(),
        server_spans: vec![server_span("a", "POST /jobs", None)],
        spans: vec![
            span("a", None, "run", at, 50 * 3_600_000_000),
            span("c", Some("a"), "late", at + TimeDelta::hours(36), 5_000),
            span("b", Some("a"), "between", at + TimeDelta::hours(18), 7_000),
        ],
    };
    write_chunks(&bed, &node, &[sample.chunk(tenant, project, &[0])]).await;
    write_chunks(&bed, &node, &[sample.chunk(tenant, project, &[1])]).await;
    let lone = records(&bed, project).await;
    assert!(lone.values().all(|row| row.contains("call_count: 1")), "{lone:?}");
    write_chunks(&bed, &node, &[sample.chunk(tenant, project, &[2])]).await;
    write_chunks(&bed, &node, &[sample.whole(tenant, whole)]).await;
    assert_eq!(sums(&bed, project).await, sums(&bed, whole).await);
    assert_eq!(records(&bed, project).await, records(&bed, whole).await);
}

async fn an_idle_trace_is_merged_and_can_still_grow(database: Database) {
    let bed = Fixture::new(database).await;
    let (in_chunks, whole) = (bed.project("chunks").await, bed.project("whole").await);
    let (tenant, node) = (bed.scope().tenant(), sink(&bed.clock, 1, LiveConfig::default()));
    let mut rng = Rng(5);
    let mut sample = sample_trace(1, recent_time(&bed), &mut rng);
    while sample.spans.len() < 9 {
        sample = sample_trace(1, recent_time(&bed), &mut rng);
    }
    let others: Vec<usize> = (6..sample.spans.len()).collect();
    write_chunks(&bed, &node, &[sample.chunk(tenant, in_chunks, &[0, 1, 2])]).await;
    write_chunks(&bed, &node, &[sample.chunk(tenant, in_chunks, &[3, 4])]).await;
    write_chunks(&bed, &node, &[sample.chunk(tenant, in_chunks, &[5])]).await;
    let rows = async || {
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let rows = tx.find::<Entity>().filter(Column::ProjectId.eq(in_chunks)).all().await.unwrap();
        let mut rows: Vec<(i64, bool)> = rows.iter().map(|row| (row.call_count, row.is_final)).collect();
        rows.sort_unstable();
        rows
    };
    // the first chunk has all its parents
    assert_eq!(rows().await, [(1, false), (2, false), (3, true)]);
    let (finalise, scope) = (Finalise(bed.insight.stats.clone()), Scope::system(TenantId::NIL, "test"));
    bed.clock.advance(TimeDelta::seconds(60));
    assert_eq!(finalise.sweep(&scope, || false).await.unwrap(), 0, "not idle yet");
    bed.clock.advance(TimeDelta::seconds(61));
    let before = sums(&bed, in_chunks).await;
    assert_eq!(finalise.sweep(&scope, || false).await.unwrap(), 3);
    assert_eq!(finalise.sweep(&scope, || false).await.unwrap(), 0, "nothing left to merge");
    assert_eq!(rows().await, [(6, true)]);
    assert_eq!(sums(&bed, in_chunks).await, before);
    // duplicates are not stored again; the rest is
    write_chunks(&bed, &node, &[sample.chunk(tenant, in_chunks, &[4, 5])]).await;
    assert_eq!(rows().await, [(6, true)]);
    write_chunks(&bed, &node, &[sample.chunk(tenant, in_chunks, &others)]).await;
    bed.clock.advance(TimeDelta::seconds(121));
    assert_eq!(finalise.sweep(&scope, || false).await.unwrap(), 2);
    assert_eq!(rows().await, [(sample.spans.len() as i64, true)]);
    write_chunks(&bed, &node, &[sample.whole(tenant, whole)]).await;
    assert_eq!(sums(&bed, in_chunks).await, sums(&bed, whole).await);
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    let rows = tx.find::<Entity>().filter(Column::ProjectId.eq(whole)).all().await.unwrap();
    assert!(rows.iter().all(|row| row.is_final), "a complete trace is final at once");
}

/// PostgreSQL updates its statistics minutes after a table was filled: until then it must not scan all of it for each
/// trace.
#[tokio::test]
async fn traces_are_looked_up_by_their_ids_however_full_the_table_has_become() {
    let bed = Fixture::new(Database::postgres().await).await;
    let (project, tenant, at) = (bed.project("shop").await, bed.scope().tenant(), recent_time(&bed));
    let node = sink(&bed.clock, 1, LiveConfig::default());
    let traces = |numbers: std::ops::Range<usize>| -> Vec<batch::PackedChunk> {
        let one = |number| {
            let spans = vec![span("0", None, "f", at, 10)];
            let sample = SampleTrace { trace_id: format!("{number:032x}"), server_spans: vec![], spans };
            let (header, packed) = pack_chunk(&sample.whole(tenant, project)).unwrap();
            batch::PackedChunk { header, packed }
        };
        numbers.map(one).collect()
    };
    for numbers in [0..400, 400..500] {
        // a connection reports its statistics when it is closed
        let db = bed.database.second_node().await;
        let tx = db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        node.write_chunks(&tx, traces(numbers)).await.unwrap();
        tx.commit().await.unwrap();
        db.close().await;
    }
    let sql = "SELECT sum(idx_tup_read)::text FROM pg_stat_all_indexes WHERE relname LIKE 'call\\_trees%'";
    let read = bed.database.raw().await.texts(sql).await;
    let read: u64 = read[0].parse().unwrap();
    assert!(read < 1_000, "{read} rows of an index were read for 100 traces that are new");
}
