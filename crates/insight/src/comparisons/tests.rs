//! Comparisons of stored sums, on both databases.

use loam_kernel::{NodeId, ProjectId, Scope, SuggestionId, TenantId};
use loam_platform::sketch::Sketch;
use loam_testkit::{Database, on_both};
use sea_orm::Set;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::Fixture;
use crate::stats::{Granularity, endpoints, functions};
use crate::suggestions::entity::{self as suggestions, SuggestionSource, SuggestionStatus};

on_both![
    a_regression_is_detected_and_listed_first,
    sums_of_all_nodes_and_hours_are_added_but_not_of_other_projects,
    invalid_queries_are_rejected,
    the_gain_of_a_suggestion_is_measured_once_a_later_version_has_enough_traffic,
];

/// Adds `count` requests of an endpoint now, each taking about `millis`.
async fn endpoint(fixture: &Fixture, project: ProjectId, name: &str, version: &str, count: i64, millis: u64) {
    let (mut sketch, mut total) = (Sketch::default(), 0);
    for number in 0..count.unsigned_abs() {
        let micros = millis * (800 + 400 * (number % 11) / 10);
        sketch.add(micros);
        total += micros.cast_signed();
    }
    for granularity in [Granularity::Hour, Granularity::Day] {
        let fill = |row: &mut endpoints::Model| {
            name.clone_into(&mut row.endpoint);
            version.clone_into(&mut row.version);
            (row.requests, row.calls, row.query_count) = (count, count, count * 3);
            (row.duration_us, row.memory_delta, row.sketch) = (total, count << 20, sketch.to_bytes());
        };
        fixture.endpoint_sum(project, granularity, fill).await;
    }
}

async fn function(fixture: &Fixture, project: ProjectId, name: &str, version: &str, count: i64, micros: u64) {
    let now = fixture.clock.now();
    let mut sketch = Sketch::default();
    sketch.count(micros, count / 2);
    sketch.count(micros + micros / 10, count - count / 2);
    let row = functions::ActiveModel {
        tenant_id: Set(TenantId::NIL),
        id: Set(fixture.clock.id()),
        node_id: Set(NodeId(fixture.clock.id())),
        project_id: Set(project),
        granularity: Set(Granularity::Day),
        bucket: Set(Granularity::Day.bucket(now)),
        function: Set(name.to_owned()),
        version: Set(version.to_owned()),
        calls: Set(count),
        errors: Set(0),
        self_us: Set(count * (micros + micros / 20).cast_signed()),
        total_us: Set(0),
        query_count: Set(0),
        query_us: Set(0),
        memory_delta: Set(0),
        sketch: Set(sketch.to_bytes()),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let tx = fixture.database.db.write(&fixture.scope()).await.unwrap();
    tx.insert(row).await.unwrap();
    tx.commit().await.unwrap();
}

async fn compare(fixture: &Fixture, scope: &Scope, query: Value) -> Value {
    let view = fixture.insight.stats.compare(scope, serde_json::from_value(query).unwrap()).await.unwrap();
    serde_json::to_value(view).unwrap()
}

fn close(value: &Value, expected: f64) -> bool {
    (value.as_f64().unwrap() - expected).abs() < 0.04 * expected.abs().max(0.01)
}

async fn a_regression_is_detected_and_listed_first(database: Database) {
    let fixture = Fixture::new(database).await;
    let project = fixture.project("shop").await;
    for (name, before, after, count) in [
        ("GET /same", 100, 100, 200),
        ("GET /slower", 100, 150, 200),
        ("GET /faster", 100, 60, 200),
        ("GET /rare", 100, 900, 20),
    ] {
        endpoint(&fixture, project, name, "1.0", count, before).await;
        endpoint(&fixture, project, name, "1.1", count, after).await;
    }
    endpoint(&fixture, project, "GET /new", "1.1", 200, 10).await;
    function(&fixture, project, "shop.cart.total", "1.0", 1000, 500).await;
    function(&fixture, project, "shop.cart.total", "1.1", 1000, 800).await;
    let query = json!({ "project_id": project, "base_version": "1.0", "version": "1.1" });
    let seen = compare(&fixture, &fixture.scope(), query).await;
    assert_eq!(
        seen["verdicts"],
        json!({ "slower": 1, "faster": 1, "no_evidence": 1, "too_little_traffic": 2 })
    );
    let endpoint = |name: &str| {
        seen["endpoints"].as_array().unwrap().iter().find(|one| one["endpoint"] == name).unwrap().clone()
    };
    let slower = &seen["endpoints"][0];
    assert_eq!((&slower["endpoint"], &slower["verdict"]), (&json!("GET /slower"), &json!("slower")));
    assert!(slower["is_regression"] == true);
    let mean = &slower["changes"]["mean"];
    assert!(close(&mean["change"], 0.5) && mean["is_evident"] == true, "{mean}");
    assert!(mean["low"].as_f64().unwrap() > 0.4 && mean["high"].as_f64().unwrap() < 0.6, "{mean}");
    // each quantile is exact to one percent
    let p95 = &slower["changes"]["p95"];
    assert!((p95["change"].as_f64().unwrap() - 0.5).abs() < 0.031 && p95["low"].is_number(), "{p95}");
    assert!(slower["changes"]["p99"]["low"].is_null(), "two values above the 99th percentile are too few");
    assert!(close(&slower["before"]["mean"], 0.1) && close(&slower["after"]["p50"], 0.15), "{slower}");
    assert_eq!(
        (&slower["before"]["query_count"], &slower["before"]["memory_delta"]),
        (&json!(3.0), &json!(1.0))
    );
    assert_eq!(endpoint("GET /faster")["verdict"], "faster");
    assert_eq!(
        (&endpoint("GET /same")["verdict"], &endpoint("GET /same")["is_regression"]),
        (&json!("no_evidence"), &json!(false))
    );
    assert_eq!(endpoint("GET /rare")["verdict"], "too_little_traffic");
    assert_eq!(
        (&endpoint("GET /rare")["before"]["missing_requests"], &slower["after"]["missing_requests"]),
        (&json!(30), &json!(0))
    );
    assert!(endpoint("GET /rare")["changes"]["mean"]["low"].is_null());
    assert_eq!(
        (&endpoint("GET /new")["before"]["requests"], &endpoint("GET /new")["changes"]["mean"]),
        (&json!(0), &Value::Null)
    );
    let function = &seen["functions"][0];
    assert_eq!((&function["function"], &function["verdict"]), (&json!("shop.cart.total"), &json!("slower")));
    assert!(close(&function["changes"]["self_time"]["change"], 0.6));
}

async fn sums_of_all_nodes_and_hours_are_added_but_not_of_other_projects(database: Database) {
    let fixture = Fixture::new(database).await;
    let (project, other) = (fixture.project("shop").await, fixture.project("other").await);
    for _ in 0..2 {
        endpoint(&fixture, project, "GET /", "1", 30, 100).await;
        endpoint(&fixture, project, "GET /", "2", 30, 50).await;
        endpoint(&fixture, project, "GET /", "3", 1000, 900).await;
        endpoint(&fixture, other, "GET /", "1", 1000, 900).await;
        fixture.clock.advance(chrono::TimeDelta::hours(1));
    }
    let query = json!({ "project_id": project, "base_version": "1", "version": "2", "endpoint": "GET /" });
    let seen = compare(&fixture, &fixture.scope(), query).await;
    let one = &seen["endpoints"][0];
    assert_eq!((&one["before"]["requests"], &one["after"]["requests"]), (&json!(60), &json!(60)));
    assert_eq!(one["verdict"], "faster");
    assert_eq!(seen["endpoints"].as_array().unwrap().len(), 1);
    // a range that contains only the second hour
    let from = fixture.clock.now() - chrono::TimeDelta::hours(1);
    let query = json!({
        "project_id": project, "base_version": "1", "version": "2", "from": from, "to": from + chrono::TimeDelta::days(1),
    });
    let seen = compare(&fixture, &fixture.scope(), query).await;
    assert_eq!(seen["endpoints"][0]["before"]["requests"], 30);
}

async fn invalid_queries_are_rejected(database: Database) {
    let fixture = Fixture::new(database).await;
    let project = fixture.project("shop").await;
    let now = fixture.clock.now();
    for (param, more) in [
        ("version", json!({ "version": "1" })),
        ("base_version", json!({ "base_version": " " })),
        ("project_id", json!({ "project_id": Uuid::from_u128(5) })),
        ("from", json!({ "from": now, "to": now })),
        ("from", json!({ "from": now - chrono::TimeDelta::days(1_101) })),
    ] {
        let mut query = json!({ "project_id": project, "base_version": "1", "version": "2" });
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let query = serde_json::from_value(query).unwrap();
        let error = fixture.insight.stats.compare(&fixture.scope(), query).await.err().unwrap();
        assert_eq!(error.param(), Some(param));
    }
    endpoint(&fixture, project, "GET /", "1", 5, 100).await;
    let query = json!({ "project_id": project, "base_version": "1", "version": "2" });
    let error = fixture
        .insight
        .stats
        .compare(&fixture.scope(), serde_json::from_value(query).unwrap())
        .await
        .err()
        .unwrap();
    assert_eq!((error.status(), error.param()), (404, Some("version")), "the version was never seen");
}

/// A suggestion about version 1.0 of an endpoint.
async fn suggestion(fixture: &Fixture, project: ProjectId) -> SuggestionId {
    let now = fixture.clock.now();
    let row = suggestions::ActiveModel {
        code: Set(None),
        parameters: Set(None),
        tenant_id: Set(TenantId::NIL),
        id: Set(fixture.clock.id()),
        project_id: Set(project),
        endpoint: Set("GET /".to_owned()),
        function: Set(None),
        finding: Set(Some("n_plus_one".to_owned())),
        source: Set(SuggestionSource::Rules),
        category: Set("database".to_owned()),
        priority: Set("high".to_owned()),
        title: Set("query once".to_owned()),
        fingerprint: Set(None),
        description: Set("read all rows with one query".to_owned()),
        code_example: Set(None),
        version: Set("1.0".to_owned()),
        record_id: Set(None),
        analysis_id: Set(None),
        status: Set(SuggestionStatus::Open),
        predicted_gain: Set(Some(0.5)),
        measured_gain: Set(None),
        measured: Set(None),
        measured_version: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let tx = fixture.database.db.write(&fixture.scope()).await.unwrap();
    let id = tx.insert(row).await.unwrap().id;
    tx.commit().await.unwrap();
    id
}

async fn the_gain_of_a_suggestion_is_measured_once_a_later_version_has_enough_traffic(database: Database) {
    let fixture = Fixture::new(database).await;
    let project = fixture.project("shop").await;
    endpoint(&fixture, project, "GET /", "0.9", 100, 10).await;
    fixture.clock.advance(chrono::TimeDelta::hours(1));
    endpoint(&fixture, project, "GET /", "1.0", 100, 100).await;
    let id = suggestion(&fixture, project).await;
    let measure = async || {
        let row = fixture.insight.analyses.get_suggestion(&fixture.scope(), id).await.unwrap();
        fixture.insight.stats.measure_gain(&fixture.scope(), &row).await.unwrap();
        fixture.insight.analyses.get_suggestion(&fixture.scope(), id).await.unwrap()
    };
    assert_eq!(measure().await.measured_gain, None, "an earlier version does not count");
    fixture.clock.advance(chrono::TimeDelta::hours(1));
    endpoint(&fixture, project, "GET /", "1.1", 49, 40).await;
    assert_eq!(measure().await.measured_gain, None, "too few requests");
    fixture.clock.advance(chrono::TimeDelta::hours(1));
    endpoint(&fixture, project, "GET /", "1.2", 80, 100).await;
    let unchanged = measure().await;
    assert_eq!(unchanged.measured_version.as_deref(), Some("1.2"));
    assert_eq!(unchanged.measured.unwrap()["is_evident"], false, "that version did not improve it");
    fixture.clock.advance(chrono::TimeDelta::hours(1));
    endpoint(&fixture, project, "GET /", "1.3", 80, 40).await;
    let row = measure().await;
    assert!((row.measured_gain.unwrap() - 0.6).abs() < 0.02, "{:?}", row.measured_gain);
    let measured = row.measured.unwrap();
    assert_eq!((row.measured_version.as_deref(), &measured["is_evident"]), (Some("1.3"), &json!(true)));
    assert_eq!(measured["samples"], json!({ "before": 100, "after": 80 }));
    let (low, high) = (measured["low"].as_f64().unwrap(), measured["high"].as_f64().unwrap());
    assert!(low > 0.5 && low < 0.6 && high > 0.6 && high < 0.7, "{low} to {high}");
    // an evident gain is final
    fixture.clock.advance(chrono::TimeDelta::hours(1));
    endpoint(&fixture, project, "GET /", "1.4", 200, 100).await;
    assert_eq!(measure().await.measured_version.as_deref(), Some("1.3"));
}
