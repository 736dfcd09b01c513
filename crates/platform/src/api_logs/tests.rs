//! What is recorded of which request.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use loam_kernel::{Actor, ApiKeyId, Origin, Permissions, Scope, TenantId, UserId};
use loam_testkit::{Database, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

use super::entity::{Entity, Model};
use super::{ApiLogs, Caller};
use crate::pack::unpack;
use crate::records::fixture::{ACME, Fixture};
use crate::system_config::Level;

on_both![
    a_change_is_recorded_and_a_reading_and_a_call_are_not,
    a_record_holds_no_secret,
    bodies_are_kept_when_that_is_switched_on_and_only_as_json,
    sampling_follows_the_configuration_and_a_tenant_may_have_its_own,
    strangers_cannot_fill_the_disk,
    a_full_journal_drops_records_and_nobody_waits,
];

struct Exchange<'a> {
    method: Method,
    target: &'a str,
    headers: &'a [(&'static str, &'a str)],
    status: u16,
    stranger: bool,
    bodies: (&'a [u8], &'a [u8]),
}

const EXCHANGE: Exchange<'static> = Exchange {
    method: Method::POST,
    target: "/api/v1/things",
    headers: &[],
    status: 201,
    stranger: false,
    bodies: (b"", b""),
};

fn caller() -> Caller {
    let mut scope = Scope::new(ACME, Actor::ApiKey(ApiKeyId(Uuid::from_u128(5))), Permissions::all());
    scope.user = Some(UserId(Uuid::from_u128(6)));
    Caller::from(&scope)
}

fn send(logs: &ApiLogs, exchange: &Exchange<'_>) {
    let uri: Uri = exchange.target.parse().unwrap();
    let headers: HeaderMap = exchange
        .headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    let origin = Origin {
        request_id: "r-1".to_owned(),
        ip_address: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("curl/8".to_owned()),
        ..Origin::default()
    };
    let caller = if exchange.stranger { Caller::default() } else { caller() };
    let start = logs.request_started(&exchange.method, &uri, &headers);
    let status = StatusCode::from_u16(exchange.status).unwrap();
    let kept = start.keep_body > 0;
    if let Some(pending) =
        logs.response_started(start, caller, &Arc::new(origin), (&exchange.method, &uri), status)
    {
        let (request, response) = exchange.bodies;
        let response_kept = (pending.keep_body > 0).then_some(response);
        pending.record(response.len() as u64, kept.then_some(request), response_kept);
    }
}

async fn rows(fixture: &Fixture, tenant: TenantId) -> Vec<Model> {
    fixture.drain().await;
    let tx = fixture.database.db.system_read(&Scope::system(tenant, "test")).await.unwrap();
    tx.find::<Entity>().all().await.unwrap()
}

fn opened(packed: Option<&Vec<u8>>) -> Option<Value> {
    serde_json::from_slice(&unpack(packed?).ok()??.body).ok()
}

async fn a_change_is_recorded_and_a_reading_and_a_call_are_not(database: Database) {
    let fixture = Fixture::new(database).await;
    let logs = ApiLogs::new(fixture.records.clone(), &fixture.config).unwrap();
    send(
        &logs,
        &Exchange {
            target: "/api/v1/things?limit=5&tag=a&tag=b",
            headers: &[("x-loam-session-id", "s-1")],
            ..EXCHANGE
        },
    );
    send(&logs, &Exchange { method: Method::GET, status: 200, ..EXCHANGE });
    send(&logs, &Exchange { target: "/v1/chat/completions", status: 200, ..EXCHANGE });
    send(&logs, &Exchange { method: Method::GET, status: 404, ..EXCHANGE });
    send(
        &logs,
        &Exchange {
            target: "/v1/chat/completions",
            status: 502,
            headers: &[("x-loam-session-id", "s-1")],
            ..EXCHANGE
        },
    );
    let rows = rows(&fixture, ACME).await;
    let recorded: Vec<(&str, &str, i32)> =
        rows.iter().map(|row| (row.method.as_str(), row.path.as_str(), row.status_code)).collect();
    assert_eq!(
        recorded,
        [
            ("POST", "/api/v1/things", 201),
            ("GET", "/api/v1/things", 404),
            ("POST", "/v1/chat/completions", 502)
        ]
    );
    let row = &rows[0];
    assert_eq!(row.query_params, Some(json!({ "limit": "5", "tag": ["a", "b"] })));
    assert_eq!(row.session_id.as_deref(), Some("s-1"));
    assert_eq!((row.request_id.as_str(), row.user_agent.as_deref()), ("r-1", Some("curl/8")));
    assert_eq!(row.ip_address.as_deref(), Some("2001:db8::1"));
    assert_eq!(
        (row.api_key_id.map(|id| id.0.as_u128()), row.user_id.map(|id| id.0.as_u128())),
        (Some(5), Some(6))
    );
    assert!(row.latency_us >= 0 && row.body.is_none());
    assert_eq!(rows[2].headers, None, "a call's headers are not kept unless calls are sampled");
}

async fn a_record_holds_no_secret(database: Database) {
    let fixture = Fixture::new(database).await;
    fixture.set(Level::Global, "records.api_logs", json!({ "bodies": true })).await;
    let logs = ApiLogs::new(fixture.records.clone(), &fixture.config).unwrap();
    let secret = "hunter2-in-plain-sight";
    let key = "loam_abcdefghijkmnpqrstuvwxyz23456789";
    let body = json!({ "password": secret, "note": format!("use {key}"), "config": { "api_key": secret } })
        .to_string();
    send(
        &logs,
        &Exchange {
            target: "/api/v1/things?access_token=hunter2-in-plain-sight&q=loam_abcdefghijkmnpqrstuvwxyz23456789",
            headers: &[
                ("authorization", "Bearer hunter2-in-plain-sight"),
                ("cookie", "a=hunter2-in-plain-sight"),
                ("x-api-key", "hunter2-in-plain-sight"),
                ("x-note", key),
                ("content-type", "application/json"),
                ("accept", "*/*"),
            ],
            bodies: (body.as_bytes(), body.as_bytes()),
            ..EXCHANGE
        },
    );
    let row = rows(&fixture, ACME).await.remove(0);
    let all = format!(
        "{:?} {:?} {:?} {:?} {}",
        row.headers,
        row.query_params,
        opened(row.body.as_ref()),
        opened(row.response_body.as_ref()),
        row.path
    );
    assert!(!all.contains(secret) && !all.contains(key), "{all}");
    assert_eq!(row.headers.unwrap()["accept"], "*/*");
    assert_eq!(opened(row.body.as_ref()).unwrap()["note"], "use [redacted]");
}

async fn bodies_are_kept_when_that_is_switched_on_and_only_as_json(database: Database) {
    let fixture = Fixture::new(database).await;
    let logs = ApiLogs::new(fixture.records.clone(), &fixture.config).unwrap();
    let json_type: &[(&'static str, &str)] = &[("content-type", "application/json")];
    let body = br#"{"a":1}"#;
    send(&logs, &Exchange { headers: json_type, bodies: (body, body), ..EXCHANGE });
    fixture.set(Level::Global, "records.api_logs", json!({ "bodies": true, "max_body_bytes": 10 })).await;
    send(&logs, &Exchange { headers: json_type, bodies: (body, body), ..EXCHANGE });
    send(
        &logs,
        &Exchange { headers: json_type, bodies: (br#"{"password":"hunter2"}"#, b"not json"), ..EXCHANGE },
    );
    send(&logs, &Exchange { headers: &[("content-type", "text/plain")], bodies: (body, b""), ..EXCHANGE });
    let rows = rows(&fixture, ACME).await;
    let kept = |row: usize| (opened(rows[row].body.as_ref()), opened(rows[row].response_body.as_ref()));
    assert_eq!(kept(0), (None, None), "none unless switched on");
    assert_eq!(kept(1), (Some(json!({ "a": 1 })), Some(json!({ "a": 1 }))));
    let left_out = |value: Option<Value>| value.unwrap()["omitted"].is_string();
    let (long, no_json) = kept(2);
    assert!(left_out(long) && left_out(no_json));
    assert_eq!(kept(3), (None, None));
}

async fn sampling_follows_the_configuration_and_a_tenant_may_have_its_own(database: Database) {
    let fixture = Fixture::new(database).await;
    let logs = ApiLogs::new(fixture.records.clone(), &fixture.config).unwrap();
    let read = Exchange { method: Method::GET, status: 200, ..EXCHANGE };
    fixture.set(Level::Global, "records.api_logs", json!({ "sampling": { "writes": 0, "errors": 0 } })).await;
    for _ in 0..20 {
        send(&logs, &EXCHANGE);
        send(&logs, &Exchange { status: 500, ..EXCHANGE });
        send(&logs, &read);
    }
    assert!(rows(&fixture, ACME).await.is_empty());
    fixture.set(Level::Tenant, "records.api_logs", json!({ "sampling": { "reads": 0.5 } })).await;
    for _ in 0..400 {
        send(&logs, &read);
        send(&logs, &EXCHANGE);
    }
    let taken = rows(&fixture, ACME).await;
    assert!((100..300).contains(&taken.len()), "{} of 400", taken.len());
    assert!(taken.iter().all(|row| row.method == "GET" && row.headers.is_some()));
}

async fn strangers_cannot_fill_the_disk(database: Database) {
    let fixture = Fixture::new(database).await;
    let logs = ApiLogs::new(fixture.records.clone(), &fixture.config).unwrap();
    for _ in 0..500 {
        send(&logs, &Exchange { stranger: true, status: 401, ..EXCHANGE });
    }
    send(&logs, &EXCHANGE);
    let strangers = rows(&fixture, TenantId::NIL).await;
    assert!((20..=200).contains(&strangers.len()), "{} were recorded", strangers.len());
    assert_eq!(rows(&fixture, ACME).await.len(), 1, "who is known is not held up by them");
}

async fn a_full_journal_drops_records_and_nobody_waits(database: Database) {
    let fixture = Fixture::new(database).await;
    let logs = ApiLogs::new(fixture.records.clone(), &fixture.config).unwrap();
    fixture.journal.close().unwrap();
    send(&logs, &EXCHANGE);
    assert!(rows(&fixture, ACME).await.is_empty());
}
