use loam_testkit::{Database, on_both};
use sea_orm::{ColumnTrait, QueryFilter};

use super::*;
use crate::performance_records::entity::Entity as Records;
use crate::records::DeleteOld;
use crate::stats::{endpoints, functions};

on_both![
    a_trace_has_so_many_calls_and_says_that_it_is_cut,
    names_beyond_the_limit_are_summed_as_one_and_stay_so,
    what_is_of_no_project_or_no_time_is_left_out_and_the_rest_kept,
    what_is_old_is_deleted_and_sums_are_kept_longer,
];

async fn a_trace_has_so_many_calls_and_says_that_it_is_cut(database: Database) {
    let bed = Bed::new(database).await;
    let project = bed.project("shop").await;
    let (tenant, at) = (bed.scope().tenant(), lately(&bed));
    let node = sink(&bed.clock, 1, settings(|settings| settings.max_calls_per_trace = 100));
    let mut calls: Vec<Call> = (1..150).map(|i| call(&format!("c{i}"), Some("root"), "f", at, 10)).collect();
    // the one that serves the request comes last, and is kept all the same
    calls.push(call("root", None, "main", at, 90_000));
    let told = Story { trace_id: "big".to_owned(), entries: vec![entry("root", "GET /", None)], calls };
    take(&bed, &node, &[told.whole(tenant, project)]).await;
    let record = async || {
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let rows = tx.find::<Records>().all().await.unwrap();
        assert_eq!(rows.len(), 1);
        (rows[0].call_count, rows[0].is_cut)
    };
    assert_eq!(record().await, (100, true));
    let before = sums(&bed, project).await;
    take(&bed, &node, &[told.part(tenant, project, &[148])]).await;
    assert_eq!((record().await, sums(&bed, project).await), ((100, true), before));

    let small = Story {
        trace_id: "small".to_owned(),
        entries: vec![],
        calls: told.calls[..60].iter().map(|call| Call { parent: None, ..call.clone() }).collect(),
    };
    take(&bed, &node, &[small.whole(tenant, project)]).await;
    let more = Story { trace_id: "small".to_owned(), ..told.clone() };
    take(&bed, &node, &[more.part(tenant, project, &(60..150).collect::<Vec<_>>())]).await;
    let tx = bed.database.db.read(&bed.scope()).await.unwrap();
    let rows = tx.find::<Records>().all().await.unwrap();
    let small = rows.iter().find(|row| row.trace_id == "small").expect("what serves the request has room");
    assert!(small.is_cut);
}

async fn names_beyond_the_limit_are_summed_as_one_and_stay_so(database: Database) {
    let bed = Bed::new(database).await;
    let project = bed.project("shop").await;
    let (tenant, at) = (bed.scope().tenant(), lately(&bed));
    let limits = || {
        settings(|settings| {
            (settings.max_endpoints, settings.max_functions, settings.max_versions) = (2, 3, 1);
        })
    };
    let story = |number: usize| Story {
        trace_id: format!("t{number}"),
        entries: vec![entry("0", &format!("GET /{number}"), Some(&format!("v{number}")))],
        calls: vec![call("0", None, &format!("f{number}"), at, 1_000), call("1", Some("0"), "late", at, 500)],
    };
    let node = sink(&bed.clock, 1, limits());
    for number in 0..4 {
        take(&bed, &node, &[story(number).part(tenant, project, &[0])]).await;
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
    let told = endpoints().await;
    assert_eq!(told, ["(other) (other) 2", "GET /0 v0 1", "GET /1 (other) 1"]);
    // a server that has just started takes what comes late from where it was put
    let node = sink(&bed.clock, 1, limits());
    for number in (0..4).rev() {
        take(&bed, &node, &[story(number).part(tenant, project, &[1])]).await;
    }
    assert_eq!(endpoints().await, told);
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

async fn what_is_of_no_project_or_no_time_is_left_out_and_the_rest_kept(database: Database) {
    use loam_journal::{Frame, Position};
    use loam_platform::drain::Sink;

    let bed = Bed::new(database).await;
    let project = bed.project("shop").await;
    let (tenant, now) = (bed.scope().tenant(), bed.clock.now());
    let node = sink(&bed.clock, 1, LiveConfig::default());
    let at = |trace: &str, project, at| {
        Story {
            trace_id: trace.to_owned(),
            entries: vec![entry("0", "GET /", None)],
            calls: vec![call("0", None, "f", at, 10)],
        }
        .whole(tenant, project)
    };
    let parts = [
        at("kept", project, now),
        at("nobody's", ProjectId(Uuid::from_u128(9)), now),
        at("old", project, now - TimeDelta::days(36)),
        at("to come", project, now + TimeDelta::days(3)),
        Part { calls: vec![], ..at("empty", project, now) },
    ];
    let frame = |(part, position): (&Part, u64)| Frame {
        position: Position(position),
        kind: crate::trace::RECORDS,
        key: [0; 16],
        payload: crate::trace::write(part).unwrap(),
    };
    let frames: Vec<Frame> = parts.iter().zip(1..).map(frame).collect();
    let tx = bed.database.db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
    node.write(&tx, &frames).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(node.tenant(&frames[0]), tenant);
    let kept = records(&bed, project).await;
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["kept 0"]);
}

async fn what_is_old_is_deleted_and_sums_are_kept_longer(database: Database) {
    let bed = Bed::new(database).await;
    let project = bed.project("shop").await;
    let (tenant, at) = (bed.scope().tenant(), lately(&bed));
    let node = sink(&bed.clock, 1, LiveConfig::default());
    let told = story(1, at, &mut Dice(2));
    take(&bed, &node, &[told.whole(tenant, project)]).await;
    let (delete, scope) = (DeleteOld(bed.insight.clone()), Scope::system(TenantId::NIL, "test"));
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
