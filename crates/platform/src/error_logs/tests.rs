//! Which errors are recorded, for whom, and what they have in common.

use chrono::{DateTime, Utc};
use loam_kernel::{ErrorLogId, NodeId, ProjectId, Scope, TenantId, first_id_at};
use loam_testkit::{Database, on_both};
use sea_orm::QueryOrder;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::entity::{Column, Entity, Model};
use super::{ErrorLogs, ErrorSource, Report, ReportedError, group, insert_reported};
use crate::personal::Subject;
use crate::records::fixture::{ACME, Fixture};
use crate::system_config::Level;

on_both![
    a_failure_in_the_background_is_the_instances,
    a_failed_request_is_its_tenants_and_why_loam_failed_the_operators,
    errors_that_are_alike_are_counted_together_over_any_number_of_batches,
    an_error_on_record_holds_no_secret,
    there_are_never_more_than_so_many_a_second,
    what_keeps_records_does_not_report_itself,
    what_an_application_tells_counts_once_however_often_it_is_told,
    what_names_somebody_erased_is_not_kept,
];

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn background(message: &str) -> Report {
    Report {
        target: "loam_jobs::run".to_owned(),
        message: message.to_owned(),
        fields: fields(json!({ "job.attempt": 3, "error": "no such column: \"x\"" })),
    }
}

fn request(code: &str, message: &str) -> Report {
    Report {
        target: "loam_http::surface::error".to_owned(),
        message: "request failed".to_owned(),
        fields: fields(json!({
            "request.id": "r-1", "tenant.id": ACME.to_string(), "http.method": "POST", "url.path": "/api/v1/things",
            "error.code": code, "error.message": message, "error.cause": "the nearest\nthe one behind it",
        })),
    }
}

/// Reports to a server that then stops.
async fn report(fixture: &Fixture, reports: impl IntoIterator<Item = Report>) {
    let (errors, arriving) = ErrorLogs::new(fixture.records.clone(), &fixture.config).unwrap();
    for report in reports {
        errors.report(report);
    }
    let stop = CancellationToken::new();
    stop.cancel();
    errors.clone().run(arriving, stop).await;
    fixture.drain().await;
}

async fn rows(fixture: &Fixture, tenant: TenantId) -> Vec<Model> {
    let tx = fixture.database.db.system_read(&Scope::system(tenant, "test")).await.unwrap();
    tx.find::<Entity>().order_by_asc(Column::Id).all().await.unwrap()
}

async fn groups(fixture: &Fixture, tenant: TenantId) -> Vec<group::Model> {
    let tx = fixture.database.db.system_read(&Scope::system(tenant, "test")).await.unwrap();
    tx.find::<group::Entity>().order_by_desc(group::Column::Count).all().await.unwrap()
}

async fn a_failure_in_the_background_is_the_instances(database: Database) {
    let fixture = Fixture::new(database).await;
    report(&fixture, [background("job failed for good")]).await;
    assert!(rows(&fixture, ACME).await.is_empty());
    let row = rows(&fixture, TenantId::NIL).await.remove(0);
    assert_eq!(row.error_type, "loam_jobs::run");
    assert_eq!(row.error_message, "job failed for good: no such column: \"x\"");
    assert_eq!(row.context, json!({ "job.attempt": 3, "target": "loam_jobs::run" }));
    assert_eq!((row.request_id, row.fingerprint.len()), (None, 32));
}

async fn a_failed_request_is_its_tenants_and_why_loam_failed_the_operators(database: Database) {
    let fixture = Fixture::new(database).await;
    report(
        &fixture,
        [
            request("provider_unreachable", "mock can't be reached"),
            request("internal_error", "something went wrong"),
        ],
    )
    .await;
    let own = rows(&fixture, ACME).await;
    assert_eq!(own[0].error_message, "mock can't be reached: the nearest");
    assert_eq!(own[0].stack_trace.as_deref(), Some("the nearest\nthe one behind it"));
    assert_eq!(
        (own[0].error_type.as_str(), own[0].request_id.as_deref()),
        ("provider_unreachable", Some("r-1"))
    );
    assert_eq!(own[0].context["url.path"], "/api/v1/things");
    assert_eq!((own[1].error_message.as_str(), &own[1].stack_trace), ("something went wrong", &None));
    assert_eq!(own.len(), 2);
    let instance = rows(&fixture, TenantId::NIL).await;
    assert_eq!(instance.len(), 1);
    assert_eq!(instance[0].error_message, "something went wrong: the nearest");
    assert_eq!(instance[0].context["tenant_id"], ACME.to_string());
    assert_eq!(instance[0].request_id.as_deref(), Some("r-1"));
}

async fn errors_that_are_alike_are_counted_together_over_any_number_of_batches(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.set(Level::Global, "records.error_logs", json!({ "max_per_second": 1000 })).await;
    for batch in 0..3 {
        let alike = (0..10).map(|n| background(&format!("job {batch}{n} took {n} ms")));
        report(&fixture, alike.chain([background("quite another")])).await;
    }
    let groups = groups(&fixture, TenantId::NIL).await;
    assert_eq!(groups.iter().map(|group| group.count).collect::<Vec<_>>(), [30, 3]);
    let rows = rows(&fixture, TenantId::NIL).await;
    assert_eq!(rows.len(), 33);
    let of = |group: &group::Model| {
        rows.iter().filter(|row| row.fingerprint == group.fingerprint).collect::<Vec<_>>()
    };
    for group in &groups {
        let rows = of(group);
        assert_eq!(rows.len(), usize::try_from(group.count).unwrap());
        assert_eq!(
            (group.first_seen, group.last_seen),
            (rows[0].created_at, rows[rows.len() - 1].created_at)
        );
        assert!(
            rows.iter().any(|row| row.id == group.last_error_id && row.error_message == group.error_message)
        );
    }
}

async fn an_error_on_record_holds_no_secret(database: Database) {
    let fixture = Fixture::new(database).await;
    let mut report_of_a_leak = request("provider_unreachable", "postgres://loam:hunter2@db/x is away");
    report_of_a_leak.fields.insert("error.cause".to_owned(), "key sk-0123456789abcdef is wrong".into());
    report_of_a_leak.fields.insert("api_key".to_owned(), "hunter2".into());
    report(&fixture, [report_of_a_leak]).await;
    let row = format!("{:?} {:?}", rows(&fixture, ACME).await, groups(&fixture, ACME).await);
    assert!(row.contains("[redacted]") && !row.contains("hunter2") && !row.contains("sk-0123"), "{row}");
}

async fn there_are_never_more_than_so_many_a_second(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.set(Level::Global, "records.error_logs", json!({ "max_per_second": 5 })).await;
    report(&fixture, (0..200).map(|_| background("again"))).await;
    let taken = rows(&fixture, TenantId::NIL).await.len();
    assert!((5..=20).contains(&taken), "{taken}");
    fixture.set(Level::Global, "records.error_logs", json!({ "enabled": false })).await;
    report(&fixture, [background("not at all")]).await;
    assert_eq!(rows(&fixture, TenantId::NIL).await.len(), taken);
}

async fn what_keeps_records_does_not_report_itself(database: Database) {
    let fixture = Fixture::new(database).await;
    for target in ["loam_journal::writer", "loam_platform::drain", "loam_platform::records"] {
        report(&fixture, [Report { target: target.to_owned(), ..background("a record can't be kept") }])
            .await;
    }
    assert!(rows(&fixture, TenantId::NIL).await.is_empty());
}

fn reported(at: DateTime<Utc>, number: u128, message: &str) -> ReportedError {
    ReportedError {
        tenant: ACME,
        id: ErrorLogId(Uuid::from_u128(first_id_at(at).as_u128() + number)),
        project: ProjectId(Uuid::from_u128(7)),
        source: ErrorSource::Span,
        trace_id: Some("trace-1".to_owned()),
        record_id: Some(Uuid::from_u128(8)),
        endpoint: Some("POST /pay".to_owned()),
        kind: "ValueError".to_owned(),
        message: message.to_owned(),
        stack: None,
        context: json!({ "function": "shop.pay", "password": "hunter2" }),
        at,
    }
}

async fn what_an_application_tells_counts_once_however_often_it_is_told(database: Database) {
    let fixture = Fixture::new(database).await;
    let node = NodeId(Uuid::from_u128(9));
    let at = fixture.records.clock().now();
    let all =
        vec![reported(at, 1, "no card 12"), reported(at, 2, "no card 13"), reported(at, 1, "no card 12")];
    for _ in 0..3 {
        let tx = fixture.database.db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        insert_reported(&tx, &fixture.guard, at, node, all.clone()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let rows = rows(&fixture, ACME).await;
    assert_eq!(rows.len(), 2);
    let row = &rows[0];
    assert_eq!((row.error_type.as_str(), row.error_message.as_str()), ("ValueError", "no card 12"));
    assert_eq!((row.source.as_deref(), row.trace_id.as_deref()), (Some("application"), Some("trace-1")));
    assert_eq!((row.record_id, row.endpoint.as_deref()), (Some(Uuid::from_u128(8)), Some("POST /pay")));
    assert_eq!(row.context["password"], "[redacted]");
    let groups = groups(&fixture, ACME).await;
    assert_eq!(groups.iter().map(|group| group.count).collect::<Vec<_>>(), [2], "they are alike");
}

async fn what_names_somebody_erased_is_not_kept(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.erase(Subject::EndUser("b-1")).await;
    fixture.erase(Subject::Name("bob.brown@example.com")).await;
    let (at, node) = (fixture.records.clock().now(), NodeId(Uuid::from_u128(9)));
    let of_end_user = |id: &str| json!({ "attributes": { "enduser.id": id } });
    let all = vec![
        ReportedError { context: of_end_user("b-1"), ..reported(at, 1, "no card") },
        reported(at, 2, "no mailbox <bob.brown@example.com>"),
        ReportedError { context: of_end_user("b-2"), ..reported(at, 3, "b-1 is no name here") },
    ];
    let tx = fixture.database.db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
    insert_reported(&tx, &fixture.guard, at, node, all).await.unwrap();
    tx.commit().await.unwrap();
    let kept = rows(&fixture, ACME).await;
    assert_eq!(
        kept.iter().map(|row| row.error_message.as_str()).collect::<Vec<_>>(),
        ["b-1 is no name here"]
    );
    report(
        &fixture,
        [request("smtp_failed", "no mailbox bob.brown@example.com"), request("smtp_failed", "x")],
    )
    .await;
    let kept = rows(&fixture, ACME).await;
    assert_eq!(kept.iter().filter(|row| row.error_type == "smtp_failed").count(), 1);
    assert_eq!(groups(&fixture, ACME).await.iter().map(|group| group.count).collect::<Vec<_>>(), [1, 1]);
}
