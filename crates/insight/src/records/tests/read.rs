use loam_kernel::{PageQuery, PerformanceRecordId};
use loam_testkit::{Database, on_both};
use serde_json::{Value, json};

use super::*;
use crate::function_calls::FunctionCallFilter;
use crate::performance_records::routes::ExportFormat;
use crate::performance_records::{PerformanceRecordFilter, RecordOrder};
use crate::stats::routes::{EndpointStatsQuery, EndpointTrendQuery, FunctionStatsQuery, FunctionTrendQuery};
use crate::stats::{Granularity, RangeQuery, VersionsQuery};

on_both![
    records_are_filtered,
    records_are_listed_by_function_in_pages,
    calls_are_listed_in_order_in_pages_both_ways,
    exports_account_for_all_time_of_a_record,
    statistics_are_grouped_by_endpoint_function_and_version,
];

/// A request of 10 ms: 2 of self time, 5 of a query, 3 of a function that calls itself.
fn request(number: usize, at: DateTime<Utc>) -> SampleTrace {
    let ms = |ms: i64| at + TimeDelta::milliseconds(ms);
    let mut query = span("q", Some("r"), "SELECT", ms(1), 5_000);
    query.kind = OperationKind::Database;
    let mut root = span("r", None, "view", ms(0), 10_000);
    root.kind = OperationKind::Request;
    let mut server_span =
        server_span("r", &format!("GET /{}", number % 2), Some(if number < 5 { "1.0" } else { "1.1" }));
    server_span.is_error = number == 3;
    server_span.request.method = Some(if number.is_multiple_of(2) { "GET" } else { "POST" }.to_owned());
    server_span.response.status_code = Some(if number == 3 { 500 } else { 200 });
    SampleTrace {
        trace_id: format!("t{number}"),
        server_spans: vec![server_span],
        spans: vec![
            root,
            query,
            span("w", Some("r"), "walk", ms(6), 3_000 + number as u64 * 1_000),
            span("w2", Some("w"), "walk", ms(7), 1_000),
        ],
    }
}

/// Ten requests, one per minute, newest last.
async fn ten_requests(bed: &Fixture, project: ProjectId) -> DateTime<Utc> {
    let (tenant, at) = (bed.scope().tenant(), recent_time(bed));
    let node = sink(&bed.clock, 1, LiveConfig::default());
    for number in 0..10 {
        let sample = request(number, at + TimeDelta::minutes(number as i64));
        write_chunks(bed, &node, &[sample.whole(tenant, project)]).await;
    }
    at
}

async fn traces(bed: &Fixture, filter: PerformanceRecordFilter) -> Vec<String> {
    let page = bed.insight.stats.list_records(&bed.scope(), filter, &PageQuery::default()).await.unwrap();
    page.data.into_iter().map(|row| row.trace_id).collect()
}

async fn records_are_filtered(database: Database) {
    let bed = Fixture::new(database).await;
    let (project, other) = (bed.project("shop").await, bed.project("other").await);
    let at = ten_requests(&bed, project).await;
    let filter = || PerformanceRecordFilter { project_id: Some(project), ..Default::default() };
    assert_eq!(traces(&bed, filter()).await.len(), 10);
    assert!(traces(&bed, PerformanceRecordFilter { project_id: Some(other), ..filter() }).await.is_empty());
    let by = async |filter: PerformanceRecordFilter| traces(&bed, filter).await.join(" ");
    let endpoint = Some("GET /1".to_owned());
    assert_eq!(by(PerformanceRecordFilter { endpoint, ..filter() }).await, "t9 t7 t5 t3 t1");
    assert_eq!(by(PerformanceRecordFilter { is_error: Some(true), ..filter() }).await, "t3");
    assert_eq!(by(PerformanceRecordFilter { status_code: Some(500), ..Default::default() }).await, "t3");
    assert_eq!(
        by(PerformanceRecordFilter { version: Some("1.0".to_owned()), ..filter() }).await,
        "t4 t3 t2 t1 t0"
    );
    assert_eq!(
        by(PerformanceRecordFilter { method: Some("POST".to_owned()), ..filter() }).await,
        "t9 t7 t5 t3 t1"
    );
    assert_eq!(
        by(PerformanceRecordFilter { trace_id: Some("t8".to_owned()), ..Default::default() }).await,
        "t8"
    );
    assert_eq!(by(PerformanceRecordFilter { service: Some("none".to_owned()), ..filter() }).await, "");
    assert_eq!(by(PerformanceRecordFilter { min_duration: Some(0.011), ..filter() }).await, "");
    let minutes = |from, to| (Some(at + TimeDelta::minutes(from)), Some(at + TimeDelta::minutes(to)));
    let (from, to) = minutes(3, 5);
    assert_eq!(by(PerformanceRecordFilter { from, to, ..filter() }).await, "t4 t3");
    let slowest = PerformanceRecordFilter { from, to, order: Some(RecordOrder::Duration), ..filter() };
    assert_eq!(by(slowest.clone()).await, "t4 t3");
    let refused = |filter| async {
        bed.insight.stats.list_records(&bed.scope(), filter, &PageQuery::default()).await.unwrap_err()
    };
    let error = refused(PerformanceRecordFilter { project_id: None, ..slowest }).await;
    assert_eq!((error.status(), error.param()), (400, Some("project_id")));
    let error = refused(PerformanceRecordFilter { min_duration: Some(f64::NAN), ..filter() }).await;
    assert_eq!((error.status(), error.param()), (400, Some("min_duration")));
}

async fn records_are_listed_by_function_in_pages(database: Database) {
    let bed = Fixture::new(database).await;
    let project = bed.project("shop").await;
    let at = ten_requests(&bed, project).await;
    // sent again with more: later rows take precedence
    let node = sink(&bed.clock, 1, LiveConfig::default());
    let mut more = request(2, at + TimeDelta::minutes(2));
    more.spans = vec![span("w3", Some("r"), "walk", at + TimeDelta::minutes(2), 9_000)];
    more.server_spans.clear();
    bed.clock.advance(TimeDelta::seconds(1));
    write_chunks(&bed, &node, &[more.whole(bed.scope().tenant(), project)]).await;
    let filter = |least: Option<f64>| PerformanceRecordFilter {
        project_id: Some(project),
        function: Some("shop.walk".to_owned()),
        function_min_time: least,
        ..Default::default()
    };
    assert_eq!(traces(&bed, filter(None)).await.join(" "), "t9 t8 t7 t6 t5 t4 t3 t2 t1 t0");
    assert_eq!(traces(&bed, filter(Some(0.0105))).await.join(" "), "t9 t8 t2");
    let to = Some(at + TimeDelta::minutes(8));
    let old = PerformanceRecordFilter { to, version: Some("1.0".to_owned()), ..filter(None) };
    assert_eq!(traces(&bed, old).await.join(" "), "t4 t3 t2 t1 t0");
    let unknown = PerformanceRecordFilter { function: Some("shop.none".to_owned()), ..filter(None) };
    assert!(traces(&bed, unknown).await.is_empty());
    let mut page = PageQuery { limit: Some(3), cursor: None };
    let mut all = Vec::new();
    loop {
        let rows = bed.insight.stats.list_records(&bed.scope(), filter(None), &page).await.unwrap();
        all.extend(rows.data.into_iter().map(|row| row.trace_id));
        match rows.next_cursor {
            Some(cursor) => page.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(all.join(" "), "t9 t8 t7 t6 t5 t4 t3 t2 t1 t0");
}

async fn calls_are_listed_in_order_in_pages_both_ways(database: Database) {
    let bed = Fixture::new(database).await;
    let project = bed.project("shop").await;
    ten_requests(&bed, project).await;
    let filter = FunctionCallFilter { trace_id: Some("t0".to_owned()), ..Default::default() };
    let list = async |page: &PageQuery| {
        let page = bed.insight.stats.list_function_calls(&bed.scope(), filter.clone(), page).await.unwrap();
        let ids: Vec<Value> = page.data.iter().map(|span| json!(span)["call_id"].clone()).collect();
        (json!(ids), page)
    };
    let (ids, whole) = list(&PageQuery::default()).await;
    assert_eq!(ids, json!(["r", "q", "w", "w2"]));
    let last = json!(whole.data[3]);
    assert_eq!(
        last["call_context"],
        json!({"depth": 2, "call_order": 3, "is_recursive": true, "exception_info": null})
    );
    assert_eq!(last["function_info"]["module"], "shop");
    assert_eq!(last["execution_info"]["duration"], 0.001);
    assert_eq!(json!(whole.data[1])["performance_tags"], json!(["database"]));
    let mut page = PageQuery { limit: Some(3), cursor: None };
    let (ids, first) = list(&page).await;
    assert_eq!((ids, first.prev_cursor), (json!(["r", "q", "w"]), None));
    page.cursor = first.next_cursor;
    let (ids, second) = list(&page).await;
    assert_eq!((ids, second.next_cursor), (json!(["w2"]), None));
    page.cursor = second.prev_cursor;
    assert_eq!(list(&page).await.0, json!(["r", "q", "w"]));
    let nothing = FunctionCallFilter { trace_id: Some("none".to_owned()), ..Default::default() };
    let page =
        bed.insight.stats.list_function_calls(&bed.scope(), nothing, &PageQuery::default()).await.unwrap();
    assert!(page.data.is_empty());
    let error =
        bed.insight.stats.list_function_calls(&bed.scope(), Default::default(), &PageQuery::default()).await;
    assert_eq!(error.err().expect("neither trace nor record").status(), 400);
}

async fn exports_account_for_all_time_of_a_record(database: Database) {
    let bed = Fixture::new(database).await;
    let project = bed.project("shop").await;
    ten_requests(&bed, project).await;
    let rows = traces_ids(&bed).await;
    let id = rows[9];
    let export = async |format| bed.insight.stats.export_record(&bed.scope(), id, format).await.unwrap();
    let folded = export(ExportFormat::Folded).await;
    let expected = "shop.view 2000\nshop.view;shop.SELECT 5000\nshop.view;shop.walk 2000\nshop.view;shop.walk;shop.walk 1000\n";
    assert_eq!(folded, expected);
    let file: Value = serde_json::from_str(&export(ExportFormat::Speedscope).await).unwrap();
    assert_eq!(file["$schema"], "https://www.speedscope.app/file-format-schema.json");
    let profile = &file["profiles"][0];
    assert_eq!((&profile["type"], &profile["unit"]), (&json!("sampled"), &json!("microseconds")));
    assert_eq!(profile["samples"], json!([[0], [0, 1], [0, 2], [0, 2, 2]]));
    assert_eq!(profile["weights"], json!([2000, 5000, 2000, 1000]));
    assert_eq!((&profile["startValue"], &profile["endValue"]), (&json!(0), &json!(10_000)));
    assert_eq!(file["shared"]["frames"][2], json!({ "name": "shop.walk" }));
    let whole: Value = serde_json::from_str(&export(ExportFormat::Json).await).unwrap();
    assert_eq!(whole["function_calls"].as_array().unwrap().len(), 4);
    let record = &whole["record"];
    assert_eq!(record["performance_metrics"]["database_metrics"]["query_time"], 0.005);
    assert_eq!((&record["call_count"], &record["is_cut"]), (&json!(4), &json!(false)));
    assert!(record["score"].is_i64() && record["findings"] == json!([]) && record["errors"] == json!([]));
    let nobody = PerformanceRecordId(Uuid::from_u128(7));
    assert_eq!(
        bed.insight.stats.get_record(&bed.scope(), nobody).await.err().expect("not there").status(),
        404
    );
}

async fn traces_ids(bed: &Fixture) -> Vec<PerformanceRecordId> {
    let page = bed
        .insight
        .stats
        .list_records(&bed.scope(), Default::default(), &PageQuery::default())
        .await
        .unwrap();
    page.data.into_iter().map(|row| row.id).collect()
}

async fn statistics_are_grouped_by_endpoint_function_and_version(database: Database) {
    let bed = Fixture::new(database).await;
    let project = bed.project("shop").await;
    let at = ten_requests(&bed, project).await;
    let scope = bed.scope();
    let range = |granularity| RangeQuery {
        project_id: project,
        from: Some(at),
        to: Some(at + TimeDelta::minutes(10)),
        granularity,
    };
    for granularity in [None, Some(Granularity::Hour), Some(Granularity::Day)] {
        let choice = EndpointStatsQuery { by_version: true, ..Default::default() };
        let sums =
            json!(bed.insight.stats.top_endpoints(&scope, &range(granularity), &choice).await.unwrap());
        assert_eq!(sums["data"].as_array().unwrap().len(), 4);
        let failed = sums["data"].as_array().unwrap().iter().find(|sum| sum["errors"] == 1).unwrap();
        assert_eq!(failed["endpoint"], "GET /1");
        assert_eq!(
            (&failed["version"], &failed["requests"], &failed["error_rate"]),
            (&json!("1.0"), &json!(2), &json!(0.5))
        );
        let p95 = failed["p95"].as_f64().unwrap();
        assert!((0.0098..0.0102).contains(&p95), "within a percent of 10 ms: {p95}");
        assert_eq!(
            failed["database_metrics"],
            json!({"query_count": 2, "query_time": 0.01, "slow_queries": 0})
        );
    }
    let choice = FunctionStatsQuery { limit: Some(1), ..Default::default() };
    let sums = json!(bed.insight.stats.top_functions(&scope, &range(None), &choice).await.unwrap());
    assert_eq!(sums["granularity"], "minute");
    // self time of 2 to 11 ms, and 1 ms of the recursive call in each
    let walk = &sums["data"][0];
    assert_eq!(
        (&walk["function"], &walk["calls"], &walk["self_time"]),
        (&json!("shop.walk"), &json!(20), &json!(0.075))
    );
    assert_eq!(walk["total_time"], 0.075);
    let choice = FunctionStatsQuery { function: Some("shop.view".to_owned()), ..Default::default() };
    let sums = json!(bed.insight.stats.top_functions(&scope, &range(None), &choice).await.unwrap());
    assert_eq!((&sums["data"][0]["query_count"], &sums["data"][0]["query_time"]), (&json!(10), &json!(0.05)));
    let trend = EndpointTrendQuery { endpoint: Some("GET /0".to_owned()), ..Default::default() };
    let sums = json!(bed.insight.stats.endpoint_trend(&scope, &range(None), &trend).await.unwrap());
    let times: Vec<DateTime<Utc>> = sums["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sum| serde_json::from_value(sum["time"].clone()).unwrap())
        .collect();
    assert_eq!(times, [0, 2, 4, 6, 8].map(|minute| at + TimeDelta::minutes(minute)));
    let trend = FunctionTrendQuery { function: "shop.walk".to_owned(), version: None, by_version: true };
    let sums = json!(
        bed.insight.stats.function_trend(&scope, &range(Some(Granularity::Hour)), &trend).await.unwrap()
    );
    assert_eq!(sums["data"].as_array().unwrap().len(), 2);
    let query = VersionsQuery { project_id: project, from: None };
    let versions = json!(bed.insight.stats.list_versions(&scope, &query).await.unwrap());
    assert_eq!(
        versions.as_array().unwrap().iter().map(|v| v["requests"].clone()).collect::<Vec<_>>(),
        [json!(5), json!(5)]
    );
    let weeks = RangeQuery { from: Some(at - TimeDelta::days(21)), ..range(None) };
    let sums = json!(bed.insight.stats.top_endpoints(&scope, &weeks, &Default::default()).await.unwrap());
    assert_eq!((&sums["granularity"], sums["data"].as_array().unwrap().len()), (&json!("day"), 2));
    let wrong = RangeQuery { from: Some(at + TimeDelta::days(1)), ..range(None) };
    let error = bed
        .insight
        .stats
        .top_endpoints(&scope, &wrong, &Default::default())
        .await
        .err()
        .expect("turned around");
    assert_eq!((error.status(), error.param()), (400, Some("from")));
}
