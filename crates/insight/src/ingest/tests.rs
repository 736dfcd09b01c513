//! Decoding and conversion of records.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Clock, ProjectId, TenantId};
use serde_json::{Value, json};

use super::batch::{Batch, Defaults, Format};
use super::chunk::Context;
use super::limits::TimeLimits;
use super::record_error::RecordError;
use crate::trace::{OperationKind, TraceChunk, Tree};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn read_with(format: Format, bytes: &[u8], defaults: &Defaults) -> Result<TraceChunk, RecordError> {
    let clock = Clock::system();
    let (tenant, project): (TenantId, ProjectId) = (clock.id(), clock.id());
    let times = TimeLimits { now: now(), max_age_days: 28 };
    let context = Context { tenant, project, times, max_calls: 6, defaults };
    Batch::parse_item(format, bytes).and_then(|item| context.chunk_of(item))
}

fn read(record: &Value) -> Result<TraceChunk, RecordError> {
    read_with(Format::Json, &serde_json::to_vec(record).unwrap(), &Defaults::default())
}

fn refused(record: &Value) -> (&'static str, String) {
    let error = read(record).expect_err("refused");
    (error.code, error.param.unwrap_or_default())
}

/// The smallest valid record, with more fields.
fn record(more: Value) -> Value {
    let mut record = json!({ "trace_id": "t-1", "timestamp": 1_800_000_000, "performance_metrics": { "total_duration": 0.5 } });
    let fields = record.as_object_mut().unwrap();
    more.as_object().unwrap().iter().for_each(|(name, value)| _ = fields.insert(name.clone(), value.clone()));
    record
}

fn with_calls(calls: Value) -> Value {
    record(json!({ "id": "r", "function_calls": calls }))
}

#[test]
fn a_complete_record_is_converted() {
    let chunk = read(&json!({
        "id": "r-1", "trace_id": "4BF92F3577B34DA6A3CE929D0E0E4736", "parent_call_id": "caller", "service": "shop",
        "timestamp": "2027-01-15T08:00:00Z",
        "request_info": {
            "method": "get", "path": "/api/users/123?token=x", "query_params": { "page": 2, "token": "x" },
            "headers": { "Cookie": "secret", "accept": "*/*" }, "user_agent": "curl", "remote_ip": "10.0.0.1"
        },
        "response_info": { "status_code": 503, "response_size": 10, "content_type": "text/html" },
        "performance_metrics": {
            "total_duration": 0.25, "cpu_time": 0.125, "memory_usage": { "peak_memory": 64, "memory_delta": 0.5 },
            "database_metrics": { "query_count": 7, "query_time": 0.1, "slow_queries": 1 },
            "cache_metrics": { "cache_hits": 3, "cache_misses": 2, "cache_time": 0.01 }
        },
        "version_info": { "app_version": "1.2", "git_commit": "abc", "deploy_time": "2027-01-01T00:00:00Z" },
        "environment": { "python_version": "3.12", "framework_version": "fastapi 1", "server_info": "uvicorn" },
        "function_calls": [{
            "call_id": "c-1", "function_name": "load", "module": "app.users", "class_name": "Users", "file_path": "/app/users.py",
            "line_number": 10, "start_time": "2027-01-15T08:00:00.050Z", "duration": 0.1, "cpu_time": 0.01, "memory_delta": 2048,
            "exception_info": "ValueError: no", "performance_tags": ["slow", "database"], "depth": 1, "call_order": 0,
            "is_recursive": false,
            "detail": { "system": "postgresql", "operation": "SELECT", "statement": "SELECT * FROM u WHERE id = 5", "rows": 1 }
        }]
    }))
    .unwrap();
    assert_eq!(chunk.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    let server_span = &chunk.server_spans[0];
    assert_eq!(
        (server_span.call_id.as_str(), server_span.endpoint.as_str(), server_span.is_error),
        ("r-1", "GET /api/users/{id}", true)
    );
    assert_eq!(server_span.request.path.as_deref(), Some("/api/users/123"));
    assert_eq!(json!(server_span.request.query_params), json!({ "page": 2, "token": "[redacted]" }));
    assert_eq!(json!(server_span.request.headers), json!({ "Cookie": "[redacted]", "accept": "*/*" }));
    assert_eq!(
        (server_span.measured.memory_peak, server_span.measured.memory_delta),
        (Some(64 << 20), Some(512 << 10))
    );
    assert_eq!(
        (server_span.measured.query_ns, server_span.measured.cache_misses),
        (Some(100_000_000), Some(2))
    );
    assert_eq!(server_span.version.key(), "1.2");
    let [root, span] = &chunk.spans[..] else { panic!("a root and a call") };
    assert_eq!(
        (root.id.as_str(), root.parent.as_deref(), root.kind),
        ("r-1", Some("caller"), OperationKind::Request)
    );
    assert_eq!((root.start_ns, root.duration_ns), (1_800_000_000_000_000_000, 250_000_000));
    assert_eq!((span.parent.as_deref(), span.kind), (Some("r-1"), OperationKind::Database));
    assert_eq!(
        (span.start_ns - root.start_ns, span.function.key().as_str()),
        (50_000_000, "app.users.Users.load")
    );
    assert_eq!(span.detail.as_ref().unwrap().statement.as_deref(), Some("SELECT * FROM u WHERE id = ?"));
}

#[test]
fn messagepack_and_json_are_equivalent() {
    let mut record = with_calls(json!([
        { "call_id": "a", "function": 0, "start_offset": 0.125, "duration": 0.25, "detail": { "system": "redis", "statement": "GET user:7", "hit": true } }
    ]));
    record["functions"] = json!([{ "name": "get", "module": "cache", "line_number": 3 }]);
    record["request_info"] =
        json!({ "headers": { "host": "h" }, "query_params": { "a": [1, null, { "b": 1.5 }] } });
    record["version_info"] = json!({ "deploy_time": "2027-01-01T00:00:00Z" });
    let mut chunks = [
        read(&record).unwrap(),
        read_with(Format::MessagePack, &rmp_serde::to_vec_named(&record).unwrap(), &Defaults::default())
            .unwrap(),
    ];
    let project = chunks[0].project;
    let tenant = chunks[0].tenant;
    (chunks[1].project, chunks[1].tenant) = (project, tenant);
    assert_eq!(chunks[0], chunks[1]);
    assert_eq!(chunks[0].spans[1].detail.as_ref().unwrap().statement.as_deref(), Some("GET user:?"));
}

#[test]
fn every_call_is_a_descendant_of_the_record() {
    let call = |id: &str, parent: Option<&str>| json!({ "call_id": id, "parent_call_id": parent, "function_name": "f", "start_offset": 0, "duration": 0.1 });
    let chunk = read(&with_calls(json!([
        call("b", Some("a")),
        call("a", None),
        call("c", Some("gone")),
        call("d", Some("d"))
    ])))
    .unwrap();
    let tree = Tree::new(chunk.spans.clone());
    let root = tree.find("r").unwrap();
    assert_eq!((tree.roots().len(), tree.subtree(root).len()), (1, 5));
    assert_eq!(tree.nodes()[tree.find("b").unwrap()].depth, 2);
    // a call can stand for the record itself
    let chunk = read(&with_calls(json!([call("r", None), call("a", Some("r"))]))).unwrap();
    assert_eq!(
        (chunk.spans.len(), chunk.spans[0].kind, chunk.spans[0].duration_ns),
        (2, OperationKind::Request, 100_000_000)
    );
}

#[test]
fn calls_without_start_are_laid_out_by_order_and_parent() {
    let call = |id: &str, parent: Option<&str>, order: u64, duration: f64| json!({ "call_id": id, "parent_call_id": parent, "function_name": id, "duration": duration, "depth": 1, "call_order": order });
    let chunk = read(&json!({
        "_id": { "$oid": "65a1" }, "project_key": "shop-api", "trace_id": "t-1", "timestamp": 1_800_000_000, "created_at": "2027-01-15T08:00:01Z",
        "performance_metrics": { "total_duration": 1, "memory_usage": null }, "request_info": { "query_params": null, "headers": null },
        "functions": null,
        "function_calls": [
            call("second", None, 2, 0.3), call("first", None, 1, 0.2), call("inner-b", Some("second"), 4, 0.1), call("inner-a", Some("second"), 3, 0.1),
            { "call_id": "placed", "function_name": "f", "start_offset": 0.9, "duration": 0.05, "call_order": 5 }, call("last", Some(""), 6, 0.01)
        ]
    }))
    .unwrap();
    let start = |id: &str| {
        let span = chunk.spans.iter().find(|span| span.id == id).unwrap();
        (span.start_ns - 1_800_000_000_000_000_000) / 1_000_000
    };
    let starts = ["t-1", "first", "second", "inner-a", "inner-b", "placed", "last"].map(start);
    assert_eq!(starts, [0, 0, 200, 200, 300, 900, 950]);
}

#[test]
fn calls_are_read_in_their_nested_form_too_in_and_outside_of_their_record() {
    let nested = json!({
        "_id": "65a2", "trace_id": "t-1", "call_id": "c1", "parent_call_id": null,
        "function_info": { "name": "get_user", "module": "app.users", "file_path": "/app/users.py", "line_number": 7, "class_name": "" },
        "execution_info": { "start_time": "2027-01-15T08:00:00.5Z", "end_time": "2027-01-15T08:00:00.7Z", "duration": 0.2, "cpu_time": 0.1, "memory_delta": 512 },
        "call_context": { "depth": 0, "call_order": 0, "is_recursive": false, "exception_info": "ValueError: no" },
        "performance_tags": ["slow", "database", "checkout"], "created_at": "2027-01-15T08:00:01Z"
    });
    let alone = read(&nested).unwrap();
    assert_eq!((alone.trace_id.as_str(), alone.server_spans.len(), alone.spans.len()), ("t-1", 0, 1));
    let within = read(&record(json!({ "function_calls": [nested] }))).unwrap();
    assert_eq!(within.spans[1], alone.spans[0]);
    let span = &alone.spans[0];
    assert_eq!((span.parent.as_deref(), span.function.key().as_str()), (Some("t-1"), "app.users.get_user"));
    assert_eq!(
        (span.start_ns, span.duration_ns, span.cpu_ns),
        (1_800_000_000_500_000_000, 200_000_000, Some(100_000_000))
    );
    assert_eq!(
        (span.kind, span.memory_delta, span.exception.as_deref()),
        (OperationKind::Database, Some(512), Some("ValueError: no"))
    );
    let tags = &span.detail.as_ref().unwrap().attributes["performance_tags"];
    assert_eq!(tags, "slow\ndatabase\ncheckout");
    let mut without = nested;
    without["execution_info"] = json!({ "duration": 1 });
    assert_eq!(refused(&without), ("invalid_value", "start_time".to_owned()));
    without["colour"] = "red".into();
    assert_eq!(refused(&without), ("invalid_record", "colour".to_owned()));
}

#[test]
fn defaults_of_a_batch_apply_to_its_records() {
    let defaults: Defaults =
        serde_json::from_value(json!({ "service": "shop", "version_info": { "app_version": "7" } })).unwrap();
    let read = |record: Value| {
        read_with(Format::Json, &serde_json::to_vec(&record).unwrap(), &defaults)
            .unwrap()
            .server_spans
            .remove(0)
    };
    let server_span = read(record(json!({})));
    assert_eq!((server_span.service.as_deref(), server_span.version.key()), (Some("shop"), "7"));
    let server_span = read(record(json!({ "service": "own", "version_info": { "git_commit": "c" } })));
    assert_eq!((server_span.service.as_deref(), server_span.version.key()), (Some("own"), "c"));
}

#[test]
fn errors_name_the_invalid_field() {
    let call = |more: Value| {
        let mut call = json!({ "call_id": "a", "function_name": "f", "start_offset": 0, "duration": 0.1 });
        more.as_object()
            .unwrap()
            .iter()
            .for_each(|(name, value)| _ = call.as_object_mut().unwrap().insert(name.clone(), value.clone()));
        with_calls(json!([call]))
    };
    let old = (now() - TimeDelta::days(29)).to_rfc3339();
    for (record, code, param) in [
        (json!([]), "invalid_record", ""),
        (json!({ "timestamp": 1 }), "invalid_record", "trace_id"),
        (record(json!({ "trace_id": "" })), "invalid_value", "trace_id"),
        (record(json!({ "trace_id": "x".repeat(65) })), "invalid_value", "trace_id"),
        (record(json!({ "id": "a b" })), "invalid_value", "id"),
        (record(json!({ "timestamp": old })), "too_old", "timestamp"),
        (record(json!({ "timestamp": 1_800_003_700 })), "in_the_future", "timestamp"),
        (record(json!({ "timestamp": "2027-01-15T08:00:00" })), "invalid_record", "timestamp"),
        (record(json!({ "colour": "red" })), "invalid_record", "colour"),
        (record(json!({ "endpoint": "a\0" })), "invalid_record", "endpoint"),
        (record(json!({ "performance_metrics": {} })), "invalid_value", "performance_metrics.total_duration"),
        (record(json!({ "performance_metrics": { "total_duration": -1 } })), "invalid_value", "performance_metrics.total_duration"),
        (record(json!({ "response_info": { "status_code": 1000 } })), "invalid_value", "response_info.status_code"),
        (record(json!({ "response_info": { "status_code": "200" } })), "invalid_record", "response_info.status_code"),
        (record(json!({ "request_info": { "headers": { "a": ["\0"] } } })), "invalid_value", "request_info.headers.a"),
        (call(json!({ "call_id": "" })), "invalid_value", "function_calls[0].call_id"),
        (call(json!({ "function_name": "" })), "invalid_value", "function_calls[0].function_name"),
        (call(json!({ "function_name": null })), "invalid_value", "function_calls[0].function_name"),
        (call(json!({ "function_name": null, "function": 0 })), "invalid_value", "function_calls[0].function"),
        (call(json!({ "start_offset": 700_000 })), "invalid_value", "function_calls[0].start_offset"),
        (call(json!({ "duration": null })), "invalid_value", "function_calls[0].duration"),
        (call(json!({ "duration": "slow" })), "invalid_record", "function_calls[0].duration"),
        (call(json!({ "kind": "magic" })), "invalid_record", "function_calls[0].kind"),
        (with_calls(json!([{ "call_id": "a", "function_name": "f", "start_offset": 0, "duration": 0 }, { "call_id": "a", "function_name": "f", "start_offset": 0, "duration": 0 }])), "duplicate_call_id", "function_calls[1].call_id"),
        (with_calls(json!([{ "call_id": "a", "parent_call_id": "b", "function_name": "f", "start_offset": 0, "duration": 0 }, { "call_id": "b", "parent_call_id": "a", "function_name": "f", "start_offset": 0, "duration": 0 }])), "invalid_value", "function_calls[0].parent_call_id"),
        (record(json!({ "performance_metrics": { "total_duration": 1, "memory_usage": { "peak_memory": -5 } } })), "invalid_value", "performance_metrics.memory_usage.peak_memory"),
        (record(json!({ "performance_metrics": { "total_duration": 1, "memory_usage": { "memory_delta": 1e18 } } })), "invalid_value", "performance_metrics.memory_usage.memory_delta"),
        (with_calls(json!((0..7).map(|n| json!({ "call_id": n.to_string(), "function_name": "f", "start_offset": 0, "duration": 0 })).collect::<Vec<_>>())), "too_many_calls", "function_calls"),
    ] {
        assert_eq!(refused(&record), (code, param.to_owned()), "{record}");
    }
}

#[test]
fn descriptive_values_are_truncated() {
    let chunk = read(&record(json!({
        "endpoint": format!("/{}", "ä".repeat(1_000)), "service": "s".repeat(1_000), "exception_info": "E".repeat(10_000),
        "request_info": { "method": "GET", "path": format!("/{}", "x ".repeat(3_000)), "headers": { "a": "b".repeat(5_000), "c": vec!["d"; 1_000] } }
    })))
    .unwrap();
    let server_span = &chunk.server_spans[0];
    assert!(server_span.endpoint.len() <= 300 && server_span.service.as_ref().unwrap().len() == 200);
    assert!(chunk.spans[0].exception.as_ref().unwrap().len() == 4_000 && server_span.is_error);
    assert_eq!(server_span.request.headers["a"].as_str().unwrap().len(), 2_000);
    assert_eq!(server_span.request.headers["c"].as_str().unwrap().len(), 2_000);
}

#[test]
fn a_batch_is_split_into_independent_records() {
    let body = json!({ "service": "shop", "records": [record(json!({})), "no record", 5, record(json!({ "id": 5 }))] });
    for (format, bytes) in [
        (Format::Json, serde_json::to_vec_pretty(&body).unwrap()),
        (Format::MessagePack, rmp_serde::to_vec_named(&body).unwrap()),
    ] {
        let batch = Batch::split(format, &bytes).unwrap();
        let read: Vec<_> = batch
            .records
            .iter()
            .map(|record| Batch::parse_item(format, record).map_err(|error| error.param))
            .collect();
        assert!(
            matches!(&read[..], [Ok(_), Err(None), Err(None), Err(Some(param))] if param == "id"),
            "{format:?}: {read:?}"
        );
        let document = batch.document(batch.records[3]).unwrap();
        assert_eq!((&document["service"], &document["id"]), (&json!("shop"), &json!(5)));
    }
}

#[test]
fn an_invalid_batch_is_rejected() {
    for body in [
        "",
        "[]",
        "{}",
        "{\"records\": 5}",
        "{\"records\": [{]}",
        "{\"records\": [], \"more\": 1}",
        "{\"records\": []} x",
        "null",
        "\u{0}",
    ] {
        assert_eq!(
            Batch::split(Format::Json, body.as_bytes()).unwrap_err().code(),
            "invalid_batch",
            "{body}"
        );
    }
    let packed = |value: Value| rmp_serde::to_vec_named(&value).unwrap();
    let whole = packed(json!({ "records": [{ "a": 1 }] }));
    for body in [
        &[][..],
        &packed(json!([])),
        &packed(json!({})),
        &packed(json!({ "records": 5 })),
        &packed(json!({ "records": [], "more": 1 })),
        &whole[..whole.len() - 1],
        &[whole.clone(), vec![0]].concat(),
        &[0x81, 0x05, 0x05],
    ] {
        assert_eq!(Batch::split(Format::MessagePack, body).unwrap_err().code(), "invalid_batch", "{body:?}");
    }
}
