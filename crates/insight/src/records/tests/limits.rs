use loam_testkit::{Database, on_both};
use sea_orm::{ColumnTrait, QueryFilter};

use super::*;
use crate::performance_records::entity::Entity as Records;
use crate::records::DeleteOld;
use crate::stats::{endpoints, functions};

on_both![
    calls_above_the_limit_are_dropped_and_marked,
    names_above_the_limit_are_summed_as_one_consistently,
    chunks_of_unknown_projects_or_times_are_dropped,
    old_rows_are_deleted_and_sums_are_retained_longer,
];

async fn calls_above_the_limit_are_dropped_and_marked(database: Database) {
    let bed = Fixture::new(database).await;
    let project = bed.project("shop").await;
    let (tenant, at) = (bed.scope().tenant(), recent_time(&bed));
    let node = sink(&bed.clock, 1, settings(|settings| settings.max_calls_per_trace = 100));
    let mut spans: Vec<Span> = (1..150).map(|i| span(&format!("c{i}"), Some("root"), "f", at, 10)).collect();
    // the server span comes last, and is stored all the same
    spans.push(span("root", None, "main", at, 90_000));
    let sample = SampleTrace {
        trace_id: "big".to_owned(),
        server_spans: vec![server_span("root", "GET /", None)],
        spans,
    };
    write_chunks(&bed, &node, &[sample.whole(tenant, project)]).await;
    let record = async || {
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let rows = tx.find::<Records>().all().await.unwrap();
        assert_eq!(rows.len(), 1);
        (rows[0].call_count, rows[0].is_cut)
    };
    assert_eq!(record().await, (100, true));
    let before = sums(&bed, project).await;
    write_chunks(&bed, &node, &[sample.chunk(tenant, project, &[148])]).await;
    assert_eq!((record().await, sums(&bed, project).await), ((100, true), before));

    let small = SampleTrace {
        trace_id: "small".to_owned(),
        server_spans: vec![],
        spans: sample.spans[..60].iter().map(|span| Span { parent: None, ..span.clone() }).collect(),
    };
    write_chunks(&bed, &node, &[small.whole(tenant, project)]).await;
    let more = SampleTrace { trace_id: "small".to_owned(), ..sample.clone() };
    write_chunks(&bed, &node, &[more.chunk(tenant, project, &(60..150).collect::<Vec<_>>())]).await;
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    let rows = tx.find::<Records>().all().await.unwrap();
    let small = rows.iter().find(|row| row.trace_id == "small").expect("the server span takes precedence");
    assert!(small.is_cut);
}

async fn names_above_the_limit_are_summed_as_one_consistently(database: Database) {
    let bed = Fixture::new(database).await;
    let project = bed.project("shop").await;
    let (tenant, at) = (bed.scope().tenant(), recent_time(&bed));
    let limits = || {
        settings(|settings| {
            (settings.max_endpoints, settings.max_functions, settings.max_versions) = (2, 3, 1);
        })
    };
    let sample_trace = |number: usize| SampleTrace {
        trace_id: format!("t{number}"),
        server_spans: vec![server_span("0", &format!("GET /{number}"), Some(&format!("v{number}")))],
        spans: vec![span("0", None, &format!("f{number}"), at, 1_000), span("1", Some("0"), "late", at, 500)],
    };
    let node = sink(&bed.clock, 1, limits());
    for number in 0..4 {
        write_chunks(&bed, &node, &[sample_trace(number).chunk(tenant, project, &[0])]).await;
    }
    let endpoints = async || {
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let rows = tx
            .find::<endpoints::Entity>()
            .filter(endpoints::Column::Granularity.eq("hour"))
            .all()
            .await
            .unwrap();
        let mut rows: Vec<String> =
            rows.iter().map(|row| format!("{} {} {}", row.endpoint, row.version, row.requests)).collect();
        rows.sort();
        rows
    };
    let sample = endpoints().await;
    assert_eq!(sample, ["(other) (other) 2", "GET /0 v0 1", "GET /1 (other) 1"]);
    // a restarted server subtracts late chunks from the sums they were added to
    let node = sink(&bed.clock, 1, limits());
    for number in (0..4).rev() {
        write_chunks(&bed, &node, &[sample_trace(number).chunk(tenant, project, &[1])]).await;
    }
    assert_eq!(endpoints().await, sample);
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    let rows =
        tx.find::<functions::Entity>().filter(functions::Column::Granularity.eq("hour")).all().await.unwrap();
    let calls: i64 = rows.iter().map(|row| row.calls).sum();
    let names: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.function.as_str()).collect();
    assert_eq!(
        (calls, names.into_iter().collect::<Vec<_>>()),
        (8, vec!["(other)", "shop.f0", "shop.f1", "shop.f2"])
    );
}

async fn chunks_of_unknown_projects_or_times_are_dropped(database: Database) {
    use loam_journal::{Frame, Position};
    use loam_platform::drain::Sink;

    let bed = Fixture::new(database).await;
    let project = bed.project("shop").await;
    let (tenant, now) = (bed.scope().tenant(), bed.clock.now());
    let node = sink(&bed.clock, 1, LiveConfig::default());
    let at = |trace: &str, project, at| {
        SampleTrace {
            trace_id: trace.to_owned(),
            server_spans: vec![server_span("0", "GET /", None)],
            spans: vec![span("0", None, "f", at, 10)],
        }
        .whole(tenant, project)
    };
    let chunks = [
        at("stored", project, now),
        at("nobody's", ProjectId(Uuid::from_u128(9)), now),
        at("old", project, now - TimeDelta::days(36)),
        at("to come", project, now + TimeDelta::days(3)),
        TraceChunk { spans: vec![], ..at("empty", project, now) },
    ];
    let frame = |(chunk, position): (&TraceChunk, u64)| Frame {
        position: Position(position),
        kind: crate::trace::RECORDS,
        key: [0; 16],
        payload: crate::trace::encode_frame(chunk).unwrap(),
    };
    let frames: Vec<Frame> = chunks.iter().zip(1..).map(frame).collect();
    let tx = bed.database.db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
    node.write(&tx, &frames).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(node.tenant(&frames[0]), tenant);
    let stored = records(&bed, project).await;
    assert_eq!(stored.keys().collect::<Vec<_>>(), ["stored 0"]);
}

async fn old_rows_are_deleted_and_sums_are_retained_longer(database: Database) {
    let bed = Fixture::new(database).await;
    let project = bed.project("shop").await;
    let (tenant, at) = (bed.scope().tenant(), recent_time(&bed));
    let node = sink(&bed.clock, 1, LiveConfig::default());
    let sample = sample_trace(1, at, &mut Rng(2));
    write_chunks(&bed, &node, &[sample.whole(tenant, project)]).await;
    let (delete, scope) = (DeleteOld(bed.insight.stats.clone()), Scope::system(TenantId::NIL, "test"));
    let counts = async || {
        use crate::stats::names;
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let minutes = endpoints::Column::Granularity.eq("minute");
        (
            tx.find::<Records>().count().await.unwrap() > 0,
            tx.find::<crate::call_trees::entity::Entity>().count().await.unwrap() > 0,
            tx.find::<crate::record_functions::entity::Entity>().count().await.unwrap() > 0,
            tx.find::<endpoints::Entity>().filter(minutes).count().await.unwrap() > 0,
            tx.find::<endpoints::Entity>().count().await.unwrap() > 0,
            tx.find::<functions::Entity>().count().await.unwrap() > 0,
            tx.find::<names::Entity>().count().await.unwrap() > 0,
        )
    };
    bed.clock.advance(TimeDelta::days(13));
    assert_eq!(delete.sweep(&scope, || false).await.unwrap(), 0);
    bed.clock.advance(TimeDelta::days(2));
    assert_eq!(delete.sweep(&scope, || true).await.unwrap(), 0, "it was stopped");
    assert!(delete.sweep(&scope, || false).await.unwrap() > 0);
    assert_eq!(counts().await, (true, true, true, false, true, true, true));
    bed.clock.advance(TimeDelta::days(80));
    assert!(delete.sweep(&scope, || false).await.unwrap() > 0);
    assert_eq!(counts().await, (false, false, false, false, true, true, false));
    bed.clock.advance(TimeDelta::days(320));
    assert!(delete.sweep(&scope, || false).await.unwrap() > 0);
    assert_eq!(counts().await, (false, false, false, false, true, true, false), "sums by day are left");
    bed.clock.advance(TimeDelta::days(700));
    assert!(delete.sweep(&scope, || false).await.unwrap() > 0);
    assert_eq!(counts().await, (false, false, false, false, false, false, false));
}
