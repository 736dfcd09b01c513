//! Decodes 1,000 spans with the structs that insight declares and with the types that `opentelemetry-proto` generates,
//! in turns, and prints the ratio of the times; then which forms of JSON each accepts. The structs are insight's own files.

#![expect(dead_code, reason = "insight's files are included whole, and only decoding is measured")]

#[path = "../../../crates/insight/src/otlp"]
mod otlp {
    pub(crate) mod wire {
        mod absent;
        mod common;
        mod number;
        mod trace;

        /// Decodes protobuf; returns the number of spans.
        pub(crate) fn decode(bytes: &[u8]) -> usize {
            count(&prost::Message::decode(bytes).expect("a request"))
        }

        /// Decodes JSON; returns the number of spans.
        pub(crate) fn decode_json(text: &str) -> Result<usize, serde_json::Error> {
            serde_json::from_str(text).map(|request| count(&request))
        }

        fn count(request: &trace::ExportTraceServiceRequest) -> usize {
            request.resource_spans.iter().flat_map(|one| &one.scope_spans).map(|one| one.spans.len()).sum()
        }
    }
}

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Generated;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event};
use prost::Message;

const SPANS: usize = 1_000;
const ROUNDS: usize = 301;

/// An attribute.
fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

/// A span as the instrumentation of a web framework or a database sends it.
fn span(at: usize) -> Span {
    let number = u64::try_from(at).expect("small");
    let start = 1_700_000_000_000_000_000 + number * 1_000_000;
    Span {
        trace_id: (number / 20).to_be_bytes().repeat(2),
        span_id: (number + 1).to_be_bytes().to_vec(),
        parent_span_id: number.to_be_bytes().to_vec(),
        flags: 0x100,
        name: "SELECT shop.orders".to_owned(),
        kind: 3,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 400_000,
        attributes: vec![
            text("db.system.name", "postgresql"),
            text("db.namespace", "shop"),
            text("db.operation.name", "SELECT"),
            text(
                "db.query.text",
                "SELECT id, total FROM orders WHERE customer = $1 ORDER BY id DESC LIMIT 20",
            ),
            text("server.address", "db.internal"),
            attribute("server.port", Value::IntValue(5432)),
            text("code.function.name", "shop.orders.latest"),
            attribute("db.response.returned_rows", Value::IntValue(20)),
        ],
        events: match at % 20 {
            0 => vec![Event {
                time_unix_nano: start,
                name: "exception".to_owned(),
                attributes: vec![text("exception.type", "Timeout"), text("exception.message", "too slow")],
                ..Event::default()
            }],
            _ => Vec::new(),
        },
        status: Some(Status::default()),
        ..Span::default()
    }
}

fn request() -> Generated {
    let attributes =
        vec![text("service.name", "shop"), text("service.version", "1.4.2"), text("host.name", "a")];
    let scope =
        InstrumentationScope { name: "orders".to_owned(), version: "1".to_owned(), ..Default::default() };
    let scope_spans =
        vec![ScopeSpans { scope: Some(scope), spans: (0..SPANS).map(span).collect(), ..Default::default() }];
    let resource = Some(Resource { attributes, ..Default::default() });
    Generated { resource_spans: vec![ResourceSpans { resource, scope_spans, ..Default::default() }] }
}

fn time(decode: impl FnOnce() -> usize) -> Duration {
    let began = Instant::now();
    assert_eq!(decode(), SPANS);
    began.elapsed()
}

fn count(request: &Generated) -> usize {
    request.resource_spans.iter().flat_map(|one| &one.scope_spans).map(|one| one.spans.len()).sum()
}

/// Prints the fastest and the median time of each, and their ratios.
fn report(name: &str, rounds: &[(Duration, Duration)]) {
    let sorted = |of: fn(&(Duration, Duration)) -> Duration| {
        let mut times: Vec<Duration> = rounds.iter().map(of).collect();
        times.sort();
        (times[0], times[times.len() / 2])
    };
    let (own, generated) = (sorted(|one| one.0), sorted(|one| one.1));
    let ratio = |own: Duration, generated: Duration| generated.as_secs_f64() / own.as_secs_f64();
    println!(
        "{name}: own {:?} (median {:?}), generated {:?} (median {:?}); generated/own {:.2} (median {:.2})",
        own.0,
        own.1,
        generated.0,
        generated.1,
        ratio(own.0, generated.0),
        ratio(own.1, generated.1),
    );
}

fn main() {
    let request = request();
    let (bytes, json) = (request.encode_to_vec(), serde_json::to_string(&request).expect("JSON"));
    println!("{SPANS} spans: {} bytes of protobuf, {} of JSON", bytes.len(), json.len());
    let protobuf = |_| {
        let own = time(|| otlp::wire::decode(&bytes));
        (own, time(|| count(&Generated::decode(bytes.as_slice()).expect("a request"))))
    };
    report("protobuf", &(0..ROUNDS).map(protobuf).collect::<Vec<_>>());
    let in_json = |_| {
        let own = time(|| otlp::wire::decode_json(&json).expect("a request"));
        (own, time(|| count(&serde_json::from_str(&json).expect("a request"))))
    };
    report("JSON", &(0..ROUNDS).map(in_json).collect::<Vec<_>>());
    let span = |fields: &str| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c",{fields}}}]}}]}}]}}"#
        )
    };
    for (what, fields) in [
        ("a list that is null", r#""attributes":null"#),
        ("a text that is null", r#""name":null"#),
        ("an enum by its name", r#""kind":"SPAN_KIND_SERVER""#),
        ("a time as a number", r#""startTimeUnixNano":1544712660000000000"#),
        ("a field's original name", r#""start_time_unix_nano":"1544712660000000000""#),
        ("an integer as a number", r#""attributes":[{"key":"a","value":{"intValue":3}}]"#),
        ("an integer with a fraction", r#""attributes":[{"key":"a","value":{"intValue":3.0}}]"#),
        ("a double that is not finite", r#""attributes":[{"key":"a","value":{"doubleValue":"NaN"}}]"#),
        ("no id of a parent", r#""parentSpanId":null"#),
    ] {
        let json = span(fields);
        let accepts = |accepted: bool| if accepted { "accepts" } else { "rejects" };
        let own = accepts(otlp::wire::decode_json(&json).is_ok());
        let generated = accepts(serde_json::from_str::<Generated>(&json).is_ok());
        println!("JSON, {what}: own {own}, generated {generated}");
    }
}
