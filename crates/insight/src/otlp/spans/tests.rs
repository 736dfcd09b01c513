use chrono::{DateTime, TimeDelta, Utc};

use super::{Taken, take};
use crate::otlp::settings::OtlpSettings;
use crate::otlp::tests::{NOW_NS, OWNER, attribute, request, span};
use crate::otlp::wire::{Event, KeyValue, Span, Status};
use crate::trace::{Call, Part, Work};

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const CONSUMER: i32 = 5;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(i64::try_from(NOW_NS).expect("a time"))
}

fn taken(scope: &str, spans: Vec<Span>) -> Taken {
    take(&request(scope, spans), OWNER, &OtlpSettings::default(), now(), true)
}

fn part(spans: Vec<Span>) -> Part {
    let mut taken = taken("opentelemetry.instrumentation.fastapi", spans);
    assert_eq!((taken.refused.count(), taken.parts.len()), (0, 1));
    taken.parts.remove(0)
}

fn call(kind: i32, name: &str, attributes: Vec<KeyValue>) -> Call {
    part(vec![span(2, 1, kind, name, attributes)]).calls.remove(0)
}

#[test]
fn a_server_span_of_either_convention_makes_the_same_record() {
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
    let [new, old] = [new, old].map(|attributes| part(vec![span(1, 9, SERVER, "GET", attributes)]));
    assert_eq!(new.entries, old.entries);
    let entry = &new.entries[0];
    assert_eq!((entry.endpoint.as_str(), entry.is_error), ("GET /users/{id}", true));
    assert_eq!(entry.request.path.as_deref(), Some("/users/7"));
    assert_eq!(entry.request.query_params["page"], "2");
    assert_eq!(entry.request.query_params["token"], "[redacted]");
    assert_eq!(entry.request.headers["authorization"], "[redacted]");
    assert_eq!(entry.request.headers["accept"], "text/html");
    assert_eq!((entry.response.status_code, entry.response.response_size), (Some(503), Some(120)));
    assert_eq!(entry.service.as_deref(), Some("shop"));
    assert_eq!((entry.version.key(), entry.version.git_commit.as_deref()), ("1.4.0", Some("abc123")));
    assert_eq!(entry.environment.python_version.as_deref(), Some("3.13.1"));
    assert_eq!(entry.environment.framework_version.as_deref(), Some("fastapi"));
    assert_eq!(entry.environment.server_info.as_deref(), Some("web-1"));
}

#[test]
fn without_a_route_the_path_stands_without_its_ids() {
    let attributes =
        vec![attribute("http.method", "GET"), attribute("http.target", "/users/4711/orders?x=1")];
    assert_eq!(
        part(vec![span(1, 0, SERVER, "GET", attributes)]).entries[0].endpoint,
        "GET /users/{id}/orders"
    );
}

#[test]
fn requests_and_work_that_nobody_else_began_become_records() {
    let mut remote = span(3, 9, CONSUMER, "process orders", vec![]);
    remote.flags = 0x300;
    let entries = |span: Span| part(vec![span]).entries.len();
    assert_eq!(entries(span(1, 9, SERVER, "x", vec![])), 1, "a server's, whoever asked");
    assert_eq!(entries(span(1, 0, 1, "nightly", vec![])), 1, "a worker's root");
    assert_eq!(entries(remote), 1, "a message taken");
    assert_eq!(entries(span(1, 9, 1, "step", vec![])), 0, "a step of something");
    assert_eq!(entries(span(1, 0, CLIENT, "SELECT", vec![])), 0, "what was asked of others is no request");
}

#[test]
fn calls_keep_ids_times_and_who_called() {
    let call = call(1, "step", vec![]);
    assert_eq!((call.id.as_str(), call.parent.as_deref()), ("0000000000000002", Some("0000000000000001")));
    assert_eq!(
        (call.start_ns.unsigned_abs(), call.duration_ns, call.work),
        (NOW_NS, 1_000_000, Work::Function)
    );
    let mut backwards = span(1, 0, 1, "x", vec![]);
    backwards.end_time_unix_nano = NOW_NS - 5;
    assert_eq!(part(vec![backwards]).calls[0].duration_ns, 0);
}

#[test]
fn a_function_is_known_by_its_code_in_either_convention() {
    let new = vec![attribute("code.function.name", "app.users.get_user"), attribute("code.line.number", 12)];
    let old = vec![
        attribute("code.function", "get_user"),
        attribute("code.namespace", "app.users"),
        attribute("code.lineno", 12),
    ];
    for attributes in [new, old] {
        let function = call(1, "span", attributes).function;
        assert_eq!((function.key().as_str(), function.line_number), ("app.users.get_user", Some(12)));
    }
    // a tracer made by hand is mostly named after its module, a library's is not
    let by_hand = taken("app.orders", vec![span(2, 1, 1, "total", vec![])]).parts.remove(0);
    assert_eq!(by_hand.calls[0].function.key(), "app.orders.total");
    assert_eq!(call(1, "total", vec![]).function.key(), "total");
}

#[test]
fn queries_keep_their_statement_without_its_values() {
    for (system, query) in [("db.system", "db.statement"), ("db.system.name", "db.query.text")] {
        let statement = "SELECT * FROM users WHERE name = 'Ada'";
        let attributes = vec![
            attribute(system, "postgresql"),
            attribute(query, statement),
            attribute("net.peer.name", "db-1"),
        ];
        let call = call(CLIENT, "SELECT", attributes);
        let detail = call.detail.expect("a detail");
        assert_eq!((call.work, detail.operation.as_deref()), (Work::Database, Some("SELECT")));
        assert!(
            detail.statement.as_ref().is_some_and(|text| text.contains("users") && !text.contains("Ada")),
            "{detail:?}"
        );
        assert_eq!((detail.system.as_deref(), detail.target.as_deref()), (Some("postgresql"), Some("db-1")));
    }
    let connect = call(CLIENT, "connect", vec![attribute("db.system", "sqlite")]);
    assert_eq!(connect.work, Work::ExternalApi, "to connect is no query");
}

#[test]
fn a_cache_says_whether_it_had_it() {
    let get = |more: KeyValue| {
        call(
            CLIENT,
            "GET",
            vec![attribute("db.system", "redis"), attribute("db.statement", "GET user:42"), more],
        )
    };
    let hit = |call: &Call| call.detail.as_ref().and_then(|detail| detail.hit);
    let call = get(attribute("db.response.returned_rows", 0));
    assert_eq!((call.work, hit(&call)), (Work::Cache, Some(false)));
    assert_eq!(call.detail.as_ref().and_then(|detail| detail.statement.as_deref()), Some("GET user:?"));
    assert_eq!(hit(&get(attribute("cache.hit", crate::otlp::wire::Value::Bool(true)))), Some(true));
    assert_eq!(hit(&get(attribute("x", "y"))), None);
    let mut told = span(2, 1, CLIENT, "GET", vec![attribute("db.system", "memcached")]);
    told.events = vec![Event { name: "cache.miss".to_owned(), ..Event::default() }];
    assert_eq!(hit(&part(vec![told]).calls[0]), Some(false));
}

#[test]
fn requests_to_others_keep_where_they_went_but_no_query() {
    let attributes = vec![
        attribute("http.request.method", "POST"),
        attribute("url.full", "https://user:pw@pay.example.com/v1/charge?key=abc"),
        attribute("server.address", "pay.example.com"),
        attribute("server.port", 443),
        attribute("http.response.status_code", 201),
    ];
    let call = call(CLIENT, "POST", attributes);
    let detail = call.detail.expect("a detail");
    assert_eq!((call.work, detail.status_code), (Work::ExternalApi, Some(201)));
    assert_eq!(detail.statement.as_deref(), Some("https://pay.example.com/v1/charge"));
    assert_eq!(detail.target.as_deref(), Some("pay.example.com:443"));
    let queue = span(
        2,
        1,
        4,
        "send",
        vec![attribute("messaging.system", "kafka"), attribute("messaging.destination.name", "orders")],
    );
    let call = part(vec![queue]).calls.remove(0);
    assert_eq!(
        (call.work, call.detail.and_then(|detail| detail.statement.clone()).as_deref()),
        (Work::Queue, Some("orders"))
    );
}

#[test]
fn what_was_raised_is_kept_without_secrets() {
    let mut told = span(1, 0, SERVER, "x", vec![]);
    told.status = Some(Status { code: 2, message: "boom".to_owned() });
    assert_eq!(part(vec![told.clone()]).calls[0].exception.as_deref(), Some("Error: boom"));
    told.events = vec![Event {
        name: "exception".to_owned(),
        attributes: vec![
            attribute("exception.type", "ValueError"),
            attribute("exception.message", "bad key sk-0123456789abcdef"),
        ],
        ..Event::default()
    }];
    let part = part(vec![told]);
    assert_eq!(part.calls[0].exception.as_deref(), Some("ValueError: bad key [redacted]"));
    assert!(part.entries[0].is_error);
}

#[test]
fn other_attributes_are_kept_but_bounded_and_without_secrets() {
    let many = (0..100).map(|n| attribute(&format!("app.n{n:03}"), "x".repeat(5000).as_str()));
    let mut attributes = vec![attribute("app.password", "hunter2"), attribute("thread.id", 7)];
    attributes.extend(many);
    let detail = call(1, "step", attributes).detail.expect("a detail");
    assert_eq!(detail.attributes.len(), 32);
    assert_eq!(detail.attributes["app.password"], "[redacted]");
    assert!(detail.attributes.values().all(|value| value.len() <= 1024));
    assert!(!detail.attributes.contains_key("thread.id"), "it says nothing of the application");
}

#[test]
fn a_span_at_fault_is_refused_alone_and_told_why() {
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
    let taken = taken("", vec![without_id, timeless, old(8), old(6), coming, endless]);
    assert_eq!((taken.refused.count(), taken.parts[0].calls.len()), (5, 1));
    let why = taken.refused.message().expect("a reason");
    for reason in ["trace id", "missing", "too long ago", "in the future", "more than 7 days"] {
        assert!(why.contains(reason), "{why}");
    }
}

#[test]
fn each_trace_is_a_part_and_a_large_one_several() {
    let mut other = span(1, 0, SERVER, "x", vec![]);
    other.trace_id[0] = 1;
    assert_eq!(taken("", vec![span(1, 0, SERVER, "x", vec![]), other]).parts.len(), 2);
    let large = |id: u32| {
        let mut span = span(1, 9, 1, "x", vec![]);
        span.span_id[..4].copy_from_slice(&id.to_be_bytes());
        span.attributes = (0..32).map(|n| attribute(&format!("a{n}"), "y".repeat(1000).as_str())).collect();
        span
    };
    let parts = taken("", (0..200).map(large).collect()).parts;
    assert_eq!(parts.iter().map(|part| part.calls.len()).sum::<usize>(), 200);
    assert!(parts.len() > 2, "{}", parts.len());
    for part in &parts {
        assert!(crate::trace::write(part).expect("written").len() < 8 << 20);
    }
}

#[test]
fn of_a_long_stack_the_last_lines_are_kept_and_no_half_of_a_secret() {
    let stack = format!("first\n{}\nlast sk-0123456789abcdef", "x sk-0123456789abcdef\n".repeat(400));
    let mut told = span(1, 0, SERVER, "x", vec![]);
    let attributes =
        vec![attribute("exception.type", "E"), attribute("exception.stacktrace", stack.as_str())];
    told.events = vec![Event { name: "exception".to_owned(), attributes, ..Event::default() }];
    let parts = taken("", vec![told]).parts;
    let kept = &parts[0].calls[0].detail.as_ref().expect("a detail").attributes["exception.stacktrace"];
    assert!(kept.len() > 1000 && kept.len() <= 4096 && kept.contains("last"), "{kept}");
    assert!(!kept.contains("0123456789abcdef") && !kept.contains("first"), "{kept}");
}
