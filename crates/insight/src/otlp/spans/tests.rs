use chrono::{DateTime, TimeDelta, Utc};

use super::{ConvertedSpans, convert};
use crate::ingest::TimeLimits;
use crate::otlp::settings::OtlpSettings;
use crate::otlp::tests::{NOW_NS, PROJECT, attribute, request, span};
use crate::otlp::wire::{Decoded, Event, KeyValue, Span, Status};
use crate::trace::{self, OperationKind, TraceChunk};

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const CONSUMER: i32 = 5;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(i64::try_from(NOW_NS).expect("a time"))
}

fn converted_request(scope: &str, spans: Vec<Span>) -> ConvertedSpans {
    let decoded = Decoded { request: request(scope, spans), ..Decoded::default() };
    let times = TimeLimits { now: now(), max_age_days: 7 };
    convert(&decoded, PROJECT, &OtlpSettings::default(), times, true)
}

fn chunk(spans: Vec<Span>) -> TraceChunk {
    let mut output = converted_request("opentelemetry.instrumentation.fastapi", spans);
    assert_eq!((output.rejections.count(), output.chunks.len()), (0, 1));
    output.chunks.remove(0)
}

fn converted(kind: i32, name: &str, attributes: Vec<KeyValue>) -> trace::Span {
    chunk(vec![span(2, 1, kind, name, attributes)]).spans.remove(0)
}

#[test]
fn both_http_conventions_give_the_same_record() {
    let new = vec![
        attribute("http.request.method", "GET"),
        attribute("http.route", "/users/{id}"),
        attribute("url.path", "/users/7"),
        attribute("url.query", "page=2&token=secret"),
        attribute("http.response.status_code", 503),
        attribute("user_agent.original", "curl/8"),
        attribute("client.address", "10.0.0.9"),
        attribute("http.request.header.authorization", "Bearer abc"),
        attribute("http.request.header.accept", "text/html"),
        attribute("http.response.body.size", 120),
    ];
    let old = vec![
        attribute("http.method", "GET"),
        attribute("http.route", "/users/{id}"),
        attribute("http.target", "/users/7?page=2&token=secret"),
        attribute("http.status_code", 503),
        attribute("http.user_agent", "curl/8"),
        attribute("net.peer.ip", "10.0.0.9"),
        attribute("http.request.header.authorization", "Bearer abc"),
        attribute("http.request.header.accept", "text/html"),
        attribute("http.response_content_length", 120),
    ];
    let [new, old] = [new, old].map(|attributes| chunk(vec![span(1, 9, SERVER, "GET", attributes)]));
    assert_eq!(new.server_spans, old.server_spans);
    let server_span = &new.server_spans[0];
    assert_eq!((server_span.endpoint.as_str(), server_span.is_error), ("GET /users/{id}", true));
    assert_eq!(server_span.request.path.as_deref(), Some("/users/7"));
    assert_eq!(server_span.request.query_params["page"], "2");
    assert_eq!(server_span.request.query_params["token"], "[redacted]");
    assert_eq!(server_span.request.headers["authorization"], "[redacted]");
    assert_eq!(server_span.request.headers["accept"], "text/html");
    assert_eq!(
        (server_span.response.status_code, server_span.response.response_size),
        (Some(503), Some(120))
    );
    assert_eq!(server_span.service.as_deref(), Some("shop"));
    assert_eq!(
        (server_span.version.key(), server_span.version.git_commit.as_deref()),
        ("1.4.0", Some("abc123"))
    );
    assert_eq!(server_span.environment.python_version.as_deref(), Some("3.13.1"));
    assert_eq!(server_span.environment.framework_version.as_deref(), Some("fastapi"));
    assert_eq!(server_span.environment.server_info.as_deref(), Some("web-1"));
}

#[test]
fn without_a_route_the_path_template_is_used() {
    let attributes =
        vec![attribute("http.method", "GET"), attribute("http.target", "/users/4711/orders?x=1")];
    assert_eq!(
        chunk(vec![span(1, 0, SERVER, "GET", attributes)]).server_spans[0].endpoint,
        "GET /users/{id}/orders"
    );
}

#[test]
fn endpoints_of_django_keep_their_slash() {
    for (route, endpoint) in [
        ("api/users/<int:pk>/", "GET /api/users/<int:pk>/"),
        ("^articles/(?P<year>[0-9]{4})/$", "GET /articles/(?P<year>[0-9]{4})/"),
        ("/users/{id}", "GET /users/{id}"),
        ("", "GET /users/{id}/"),
    ] {
        let attributes = vec![
            attribute("http.request.method", "GET"),
            attribute("http.route", route),
            attribute("url.path", "/users/7/"),
        ];
        assert_eq!(chunk(vec![span(1, 0, SERVER, "GET", attributes)]).server_spans[0].endpoint, endpoint);
    }
}

#[test]
fn processor_time_and_memory_are_read_where_they_are_given() {
    let attributes = vec![
        attribute("cpu.time", crate::otlp::wire::Value::Double(0.25)),
        attribute("memory.delta", -2048),
        attribute("memory.peak", 1 << 20),
    ];
    let chunk = chunk(vec![
        span(1, 0, SERVER, "x", attributes),
        span(2, 1, 1, "y", vec![attribute("cpu_time", "0.5")]),
    ]);
    let measured = &chunk.server_spans[0].measured;
    assert_eq!(
        (measured.cpu_ns, measured.memory_delta, measured.memory_peak),
        (Some(250_000_000), Some(-2048), Some(1 << 20))
    );
    assert_eq!((chunk.spans[0].cpu_ns, chunk.spans[0].memory_delta), (Some(250_000_000), Some(-2048)));
    assert_eq!((chunk.spans[1].cpu_ns, &chunk.spans[1].detail), (Some(500_000_000), &None));
}

#[test]
fn server_spans_and_local_roots_become_records() {
    let mut remote = span(3, 9, CONSUMER, "process orders", vec![]);
    remote.flags = 0x300;
    let server_spans = |span: Span| chunk(vec![span]).server_spans.len();
    assert_eq!(server_spans(span(1, 9, SERVER, "x", vec![])), 1, "a server span, with any parent");
    assert_eq!(server_spans(span(1, 0, 1, "nightly", vec![])), 1, "a worker's root");
    assert_eq!(server_spans(remote), 1, "a received message");
    assert_eq!(server_spans(span(1, 9, 1, "step", vec![])), 0, "an internal step");
    assert_eq!(
        server_spans(span(1, 0, CLIENT, "SELECT", vec![])),
        0,
        "an outgoing request is not a server span"
    );
}

#[test]
fn ids_times_and_parents_are_preserved() {
    let converted = converted(1, "step", vec![]);
    assert_eq!(
        (converted.id.as_str(), converted.parent.as_deref()),
        ("0000000000000002", Some("0000000000000001"))
    );
    assert_eq!(
        (converted.start_ns.unsigned_abs(), converted.duration_ns, converted.kind),
        (NOW_NS, 1_000_000, OperationKind::Function)
    );
    let mut backwards = span(1, 0, 1, "x", vec![]);
    backwards.end_time_unix_nano = NOW_NS - 5;
    assert_eq!(chunk(vec![backwards]).spans[0].duration_ns, 0);
}

#[test]
fn functions_are_recognised_in_both_code_conventions() {
    let new = vec![attribute("code.function.name", "app.users.get_user"), attribute("code.line.number", 12)];
    let old = vec![
        attribute("code.function", "get_user"),
        attribute("code.namespace", "app.users"),
        attribute("code.lineno", 12),
    ];
    for attributes in [new, old] {
        let function = converted(1, "span", attributes).function;
        assert_eq!((function.key().as_str(), function.line_number), ("app.users.get_user", Some(12)));
    }
    // tracers of an application are usually named after its modules, those of libraries are not
    let by_hand = converted_request("app.orders", vec![span(2, 1, 1, "total", vec![])]).chunks.remove(0);
    assert_eq!(by_hand.spans[0].function.key(), "app.orders.total");
    assert_eq!(converted(1, "total", vec![]).function.key(), "total");
}

#[test]
fn spans_of_logfire_are_named_by_themselves_rather_than_by_their_caller() {
    let function = |scope: &str, name: &str| {
        let attributes = vec![
            attribute("code.function", "work"),
            attribute("code.filepath", "app.py"),
            attribute("code.lineno", 7),
            attribute("logfire.msg_template", name),
        ];
        converted_request(scope, vec![span(2, 1, 1, name, attributes)]).chunks[0].spans[0].function.clone()
    };
    let load = function("logfire", "load orders");
    assert_eq!((load.key().as_str(), load.line_number), ("load orders", Some(7)));
    assert_eq!(function("logfire", "Calling app.work").key(), "work", "a decorated function");
}

#[test]
fn statements_are_stored_without_their_values() {
    for (system, query) in [("db.system", "db.statement"), ("db.system.name", "db.query.text")] {
        let statement = "SELECT * FROM users WHERE name = 'Ada'";
        let attributes = vec![
            attribute(system, "postgresql"),
            attribute(query, statement),
            attribute("net.peer.name", "db-1"),
        ];
        let converted = converted(CLIENT, "SELECT", attributes);
        let detail = converted.detail.expect("a detail");
        assert_eq!((converted.kind, detail.operation.as_deref()), (OperationKind::Database, Some("SELECT")));
        assert!(
            detail.statement.as_ref().is_some_and(|text| text.contains("users") && !text.contains("Ada")),
            "{detail:?}"
        );
        assert_eq!((detail.system.as_deref(), detail.target.as_deref()), (Some("postgresql"), Some("db-1")));
    }
    let connect = converted(CLIENT, "connect", vec![attribute("db.system", "sqlite")]);
    assert_eq!(connect.kind, OperationKind::Function, "connecting is neither a query nor an external API");
}

#[test]
fn cache_hits_and_misses_are_recognised() {
    let get = |more: KeyValue| {
        converted(
            CLIENT,
            "GET",
            vec![attribute("db.system", "redis"), attribute("db.statement", "GET user:42"), more],
        )
    };
    let hit = |span: &trace::Span| span.detail.as_ref().and_then(|detail| detail.hit);
    let converted = get(attribute("db.response.returned_rows", 0));
    assert_eq!((converted.kind, hit(&converted)), (OperationKind::Cache, Some(false)));
    assert_eq!(converted.detail.as_ref().and_then(|detail| detail.statement.as_deref()), Some("GET user:?"));
    assert_eq!(hit(&get(attribute("cache.hit", crate::otlp::wire::Value::Bool(true)))), Some(true));
    assert_eq!(hit(&get(attribute("x", "y"))), None);
    let mut context = span(2, 1, CLIENT, "GET", vec![attribute("db.system", "memcached")]);
    context.events = vec![Event { name: "cache.miss".to_owned(), ..Event::default() }];
    assert_eq!(hit(&chunk(vec![context]).spans[0]), Some(false));
}

#[test]
fn outgoing_requests_are_stored_without_their_query() {
    let attributes = vec![
        attribute("http.request.method", "POST"),
        attribute("url.full", "https://user:pw@pay.example.com/v1/charge?key=abc"),
        attribute("server.address", "pay.example.com"),
        attribute("server.port", 443),
        attribute("http.response.status_code", 201),
    ];
    let converted = converted(CLIENT, "POST", attributes);
    let detail = converted.detail.expect("a detail");
    assert_eq!((converted.kind, detail.status_code), (OperationKind::ExternalApi, Some(201)));
    assert_eq!(detail.statement.as_deref(), Some("https://pay.example.com/v1/charge"));
    assert_eq!(detail.target.as_deref(), Some("pay.example.com:443"));
    let queue = span(
        2,
        1,
        4,
        "send",
        vec![attribute("messaging.system", "kafka"), attribute("messaging.destination.name", "orders")],
    );
    let converted = chunk(vec![queue]).spans.remove(0);
    assert_eq!(
        (converted.kind, converted.detail.and_then(|detail| detail.statement.clone()).as_deref()),
        (OperationKind::Queue, Some("orders"))
    );
}

#[test]
fn exceptions_are_stored_without_secrets() {
    let mut context = span(1, 0, SERVER, "x", vec![]);
    context.status = Some(Status { code: 2, message: "boom".to_owned() });
    assert_eq!(chunk(vec![context.clone()]).spans[0].exception.as_deref(), Some("Error: boom"));
    context.events = vec![Event {
        name: "exception".to_owned(),
        attributes: vec![
            attribute("exception.type", "ValueError"),
            attribute("exception.message", "bad key sk-0123456789abcdef"),
        ],
        ..Event::default()
    }];
    let chunk = chunk(vec![context]);
    assert_eq!(chunk.spans[0].exception.as_deref(), Some("ValueError: bad key [redacted]"));
    assert!(chunk.server_spans[0].is_error);
}

#[test]
fn other_attributes_are_limited_and_redacted() {
    let many = (0..100).map(|n| attribute(&format!("app.n{n:03}"), "x".repeat(5000).as_str()));
    let mut attributes = vec![attribute("app.password", "hunter2"), attribute("thread.id", 7)];
    attributes.extend(many);
    let detail = converted(1, "step", attributes).detail.expect("a detail");
    assert_eq!(detail.attributes.len(), 32);
    assert_eq!(detail.attributes["app.password"], "[redacted]");
    assert!(detail.attributes.values().all(|value| value.len() <= 1024));
    assert!(!detail.attributes.contains_key("thread.id"), "not about the application");
}

#[test]
fn invalid_spans_are_rejected_individually_with_a_reason() {
    let mut without_id = span(1, 0, SERVER, "x", vec![]);
    without_id.trace_id = vec![0; 16];
    let mut timeless = span(2, 0, SERVER, "x", vec![]);
    timeless.start_time_unix_nano = 0;
    let old = |days| {
        let mut span = span(3, 0, SERVER, "x", vec![]);
        span.start_time_unix_nano -=
            TimeDelta::days(days).num_nanoseconds().expect("a number").unsigned_abs();
        span
    };
    let mut coming = span(4, 0, SERVER, "x", vec![]);
    coming.start_time_unix_nano += TimeDelta::hours(2).num_nanoseconds().expect("a number").unsigned_abs();
    let mut endless = span(5, 0, SERVER, "x", vec![]);
    endless.end_time_unix_nano = u64::MAX;
    let output = converted_request("", vec![without_id, timeless, old(8), old(6), coming, endless]);
    assert_eq!((output.rejections.count(), output.chunks[0].spans.len()), (5, 1));
    let why = output.rejections.message().expect("a reason");
    for reason in ["trace id", "missing", "too long ago", "in the future", "more than 7 days"] {
        assert!(why.contains(reason), "{why}");
    }
}

#[test]
fn each_trace_is_a_chunk_and_a_large_one_several() {
    let mut other = span(1, 0, SERVER, "x", vec![]);
    other.trace_id[0] = 1;
    assert_eq!(converted_request("", vec![span(1, 0, SERVER, "x", vec![]), other]).chunks.len(), 2);
    let large = |id: u32| {
        let mut span = span(1, 9, 1, "x", vec![]);
        span.span_id[..4].copy_from_slice(&id.to_be_bytes());
        span.attributes = (0..32).map(|n| attribute(&format!("a{n}"), "y".repeat(1000).as_str())).collect();
        span
    };
    let chunks = converted_request("", (0..200).map(large).collect()).chunks;
    assert_eq!(chunks.iter().map(|chunk| chunk.spans.len()).sum::<usize>(), 200);
    assert!(chunks.len() > 2, "{}", chunks.len());
    for chunk in &chunks {
        assert!(crate::trace::encode_frame(chunk).expect("written").len() < 8 << 20);
    }
}

#[test]
fn of_a_long_stack_trace_the_last_complete_lines_are_stored() {
    let stack = format!("first\n{}\nlast sk-0123456789abcdef", "x sk-0123456789abcdef\n".repeat(400));
    let mut context = span(1, 0, SERVER, "x", vec![]);
    let attributes =
        vec![attribute("exception.type", "E"), attribute("exception.stacktrace", stack.as_str())];
    context.events = vec![Event { name: "exception".to_owned(), attributes, ..Event::default() }];
    let chunks = converted_request("", vec![context]).chunks;
    let stacktrace =
        &chunks[0].spans[0].detail.as_ref().expect("a detail").attributes["exception.stacktrace"];
    assert!(
        stacktrace.len() > 1000 && stacktrace.len() <= 4096 && stacktrace.contains("last"),
        "{stacktrace}"
    );
    assert!(!stacktrace.contains("0123456789abcdef") && !stacktrace.contains("first"), "{stacktrace}");
}
