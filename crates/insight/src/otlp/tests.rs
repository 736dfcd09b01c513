//! Test helpers for spans and metrics, and tests of both OTLP encodings.

use loam_kernel::{ProjectId, TenantId};
use prost::Message;
use serde_json::json;
use uuid::Uuid;

use super::body::{Encoding, decode};
use super::project_ref::ProjectRef;
use super::wire::{
    AnyValue, ArrayValue, Decoded, Event, ExportMetricsServiceRequest, ExportTraceServiceRequest,
    InstrumentationScope, KeyValue, METRICS, Resource, ResourceSpans, ScopeSpans, Span, Status, TRACES,
    Value, count_fields,
};

pub(super) const PROJECT: ProjectRef =
    ProjectRef { tenant: TenantId(Uuid::from_u128(1)), project: ProjectId(Uuid::from_u128(2)) };

/// The current time of these tests.
pub(super) const NOW_NS: u64 = 1_790_000_000_000_000_000;

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

pub(super) fn attribute(name: &str, value: impl Into<Value>) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue::from(value.into())) }
}

/// A span of trace 7 with a duration of one millisecond.
pub(super) fn span(id: u8, parent: u8, kind: i32, name: &str, attributes: Vec<KeyValue>) -> Span {
    let of = |id: u8| if id == 0 { Vec::new() } else { vec![0, 0, 0, 0, 0, 0, 0, id] };
    Span {
        trace_id: [vec![0; 15], vec![7]].concat(),
        span_id: of(id),
        parent_span_id: of(parent),
        name: name.to_owned(),
        kind,
        start_time_unix_nano: NOW_NS,
        end_time_unix_nano: NOW_NS + 1_000_000,
        attributes,
        ..Span::default()
    }
}

pub(super) fn request(scope: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource = Resource {
        attributes: vec![
            attribute("service.name", "shop"),
            attribute("service.version", "1.4.0"),
            attribute("vcs.ref.head.revision", "abc123"),
            attribute("telemetry.sdk.language", "python"),
            attribute("process.runtime.version", "3.13.1"),
            attribute("host.name", "web-1"),
        ],
    };
    let scope = Some(InstrumentationScope { name: scope.to_owned() });
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { scope, spans }],
        }],
    }
}

#[test]
fn protobuf_and_json_are_equivalent() {
    let list = Value::Array(ArrayValue { values: vec![Value::from("a").into(), Value::Bool(true).into()] });
    let mut sent = span(1, 2, 2, "GET /x", vec![attribute("n", 1 << 60), attribute("list", list)]);
    sent.events =
        vec![Event { time_unix_nano: NOW_NS, name: "exception".to_owned(), attributes: Vec::new() }];
    sent.status = Some(Status { message: "no".to_owned(), code: 2 });
    let sent = request("scope", vec![sent]);
    let attributes: Vec<_> = sent.resource_spans[0].resource.as_ref().map_or(&[][..], |r| &r.attributes).iter()
        .map(|attribute| json!({ "key": attribute.key, "value": { "stringValue": attribute.value.as_ref().expect("a value").json() } }))
        .collect();
    let written = json!({ "resourceSpans": [{
        "resource": { "attributes": attributes },
        "scopeSpans": [{ "scope": { "name": "scope", "version": "1" }, "spans": [{
            "traceId": "00000000000000000000000000000007", "spanId": "0000000000000001", "parentSpanId": "0000000000000002",
            "name": "GET /x", "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": NOW_NS.to_string(), "endTimeUnixNano": NOW_NS + 1_000_000,
            "attributes": [
                { "key": "n", "value": { "intValue": (1_i64 << 60).to_string() } },
                { "key": "list", "value": { "arrayValue": { "values": [{ "stringValue": "a" }, { "boolValue": true }] } } },
            ],
            "events": [{ "timeUnixNano": NOW_NS.to_string(), "name": "exception" }],
            "status": { "code": 2, "message": "no" }, "unknownField": [1],
        }] }],
    }] });
    let read: ExportTraceServiceRequest = serde_json::from_value(written).expect("JSON");
    assert_eq!(read, sent);
    assert_eq!(ExportTraceServiceRequest::decode(sent.encode_to_vec().as_slice()), Ok(sent));
}

#[test]
fn invalid_ids_and_times_only_affect_their_span() {
    let read = |span: serde_json::Value| {
        let body = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] });
        serde_json::from_value::<ExportTraceServiceRequest>(body)
    };
    for wrong in [
        json!({ "traceId": "xy" }),
        json!({ "traceId": "abc" }),
        json!({ "startTimeUnixNano": "soon" }),
        json!({ "startTimeUnixNano": -1 }),
        json!({ "startTimeUnixNano": 1e30 }),
    ] {
        let read = read(wrong.clone()).unwrap_or_else(|e| panic!("{wrong}: {e}"));
        let span = &read.resource_spans[0].scope_spans[0].spans[0];
        assert!(span.trace_id.is_empty() && span.start_time_unix_nano == 0, "{wrong}");
    }
    assert!(read(json!({ "kind": "NO_KIND" })).is_err());
}

#[test]
fn metrics_are_decoded_from_both_encodings() {
    let body = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [
        { "name": "a", "unit": "s", "gauge": { "dataPoints": [{ "timeUnixNano": "5", "asDouble": "NaN" }, { "asInt": "-3" }] } },
        { "name": "b", "histogram": { "aggregationTemporality": "AGGREGATION_TEMPORALITY_DELTA", "dataPoints": [
            { "count": "2", "sum": 3.5, "bucketCounts": ["1", 1], "explicitBounds": [1.0], "min": 1 }] } },
    ] }] }] });
    let read: ExportMetricsServiceRequest = serde_json::from_value(body).expect("JSON");
    let metrics = &read.resource_metrics[0].scope_metrics[0].metrics;
    let gauge = metrics[0].gauge.as_ref().expect("a gauge");
    assert!(gauge.data_points[0].as_double.is_some_and(f64::is_nan));
    assert_eq!(gauge.data_points[1].as_int, Some(-3));
    let histogram = metrics[1].histogram.as_ref().expect("a histogram");
    assert_eq!(
        (histogram.aggregation_temporality, histogram.data_points[0].bucket_counts.as_slice()),
        (1, &[1, 1][..])
    );
    let again = ExportMetricsServiceRequest::decode(read.encode_to_vec().as_slice()).expect("protobuf");
    assert_eq!(format!("{again:?}"), format!("{read:?}"));
}

#[test]
fn fields_are_counted_before_a_message_is_decoded() {
    let spans = (1..=10).map(|id| span(id, 0, 1, "x", vec![attribute("a", 1), attribute("b", 2)])).collect();
    let bytes = request("", spans).encode_to_vec();
    let count = count_fields(&bytes, TRACES, 10_000);
    // for each span: its ids, its name, its two attributes, and itself
    assert!((60..100).contains(&count), "{count}");
    assert!(count_fields(&bytes, TRACES, 20) > 20);
    // a thousand spans of two bytes each
    let empty: Vec<u8> = [0x12, 0].repeat(1000);
    let scope = [&[0x12, 0xd0, 0x0f][..], &empty].concat();
    let resource = [&[0x0a, 0xd3, 0x0f][..], &scope].concat();
    assert_eq!(count_fields(&resource, TRACES, 10_000), 1002);
    assert!(count_fields(&[0xff; 20], METRICS, 100) <= 100, "what is no protobuf ends the count");
}

#[test]
fn null_empty_and_absent_are_alike() {
    let absent = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"07","spanId":"01"}]}]}]}"#;
    let absent: ExportTraceServiceRequest = serde_json::from_str(absent).expect("JSON");
    for value in ["null", r#""""#] {
        let text = format!(
            r#"{{"resourceSpans":[null,{{"resource":{{"attributes":null}},"schemaUrl":null,"scopeSpans":[{{"scope":{{"name":{value}}},
            "spans":[null,{{"traceId":"07","spanId":"01","parentSpanId":{value},"name":{value},"kind":{value},
            "startTimeUnixNano":{value},"endTimeUnixNano":{value},"flags":{value},"attributes":null,"events":null,"links":null,
            "status":{{"code":{value},"message":{value}}}}}]}}]}}]}}"#
        );
        let mut read: ExportTraceServiceRequest =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(read.resource_spans[0].resource.take(), Some(Resource::default()));
        let scope_spans = &mut read.resource_spans[0].scope_spans[0];
        assert_eq!(scope_spans.scope.take(), Some(InstrumentationScope::default()));
        assert_eq!(scope_spans.spans[0].status.take(), Some(Status::default()));
        assert_eq!(read, absent);
        let text = format!(
            r#"{{"resourceMetrics":[{{"resource":null,"scopeMetrics":[{{"scope":null,"metrics":[
            {{"name":{value},"unit":{value},"gauge":{{"dataPoints":[{{"timeUnixNano":{value},"asDouble":{value},"asInt":{value},"flags":{value},"attributes":null}}]}}}},
            {{"sum":{{"dataPoints":null,"aggregationTemporality":{value},"isMonotonic":null}}}},
            {{"histogram":{{"dataPoints":[{{"count":{value},"sum":{value},"bucketCounts":null,"explicitBounds":null,"min":{value},"max":{value}}}]}}}},
            {{"exponentialHistogram":{{"dataPoints":[{{"scale":{value},"zeroCount":{value},"positive":{{"offset":{value},"bucketCounts":null}},"negative":null}}]}}}},
            {{"summary":{{"dataPoints":[{{"quantileValues":[{{"quantile":{value},"value":{value}}}]}}]}}}}
            ]}}]}}]}}"#
        );
        let read: ExportMetricsServiceRequest =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(read.resource_metrics[0].scope_metrics[0].metrics.len(), 5);
    }
}

#[test]
fn a_value_that_cannot_be_decoded_rejects_only_its_span() {
    let good = r#"{"traceId":"07","spanId":"01","name":"good"}"#;
    for (value, path) in [
        (r#"{"stringValue":"ok\ud83d"}"#, "stringValue"),
        (r#"{"intValue":"9223372036854775808"}"#, "intValue"),
        (r#"{"intValue":1.5}"#, "intValue"),
        (r#"{"boolValue":"true"}"#, "boolValue"),
        (r#"{"doubleValue":"fast"}"#, "doubleValue"),
        (r#"{"bytesValue":"*"}"#, "bytesValue"),
        (r#"{"arrayValue":{"values":[{"stringValue":7}]}}"#, "arrayValue.values[0].stringValue"),
    ] {
        let bad = format!(
            r#"{{"traceId":"07","spanId":"02","name":"bad","kind":2,"attributes":[{{"key":"a","value":{{"intValue":1.0}}}},{{"key":"b","value":{value}}}]}}"#
        );
        let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{good},{bad},{good}]}}]}}]}}"#);
        let Decoded::<ExportTraceServiceRequest> { request, undecodable } =
            decode(text.as_bytes(), Encoding::Json, 100).unwrap_or_else(|e| panic!("{value}: {e}"));
        assert_eq!(request.resource_spans[0].scope_spans[0].spans.len(), 2, "{value}");
        assert_eq!(undecodable.count, 1, "{value}");
        let (rest, error) = &undecodable.spans[0];
        assert_eq!(
            (error.code, error.param.as_deref()),
            ("invalid_value", Some(&*format!("attributes[1].value.{path}")))
        );
        let span = &rest.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!(
            (span.name.as_str(), span.kind, &span.attributes[..]),
            ("bad", 2, &[attribute("a", 1)][..])
        );
    }
    let not_otlp =
        [r#"{"resourceSpans":7}"#, r#"{"resourceSpans":[7]}"#, r#"{"resourceSpans":[]} x"#, "{", "[]"];
    for text in not_otlp {
        assert!(decode::<ExportTraceServiceRequest>(text.as_bytes(), Encoding::Json, 100).is_err(), "{text}");
    }
}

#[test]
fn a_nul_rejects_nothing_in_either_encoding() {
    let sent = request("", vec![span(1, 0, 2, "a\0b", vec![])]);
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a\u0000b"}]}]}]}"#;
    for (bytes, encoding) in [(sent.encode_to_vec(), Encoding::Protobuf), (json.into(), Encoding::Json)] {
        let decoded: Decoded<ExportTraceServiceRequest> = decode(&bytes, encoding, 100).expect("decoded");
        assert_eq!(decoded.request.resource_spans[0].scope_spans[0].spans[0].name, "a\0b", "{encoding:?}");
    }
}

#[test]
fn text_that_is_not_utf8_rejects_only_its_span() {
    let mut protobuf = request(
        "scope",
        vec![span(1, 0, 2, "good", vec![]), span(2, 0, 2, "bad", vec![attribute("a", "?!")])],
    )
    .encode_to_vec();
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"good"},{"name":"bad","attributes":[{"key":"a","value":{"stringValue":"?!"}}]}]}]}]}"#;
    let mut json = json.as_bytes().to_vec();
    for bytes in [&mut protobuf, &mut json] {
        let at = bytes.windows(2).position(|two| two == b"?!").expect("the value");
        bytes[at] = 0xff;
    }
    for (bytes, encoding) in [(protobuf, Encoding::Protobuf), (json, Encoding::Json)] {
        let decoded: Decoded<ExportTraceServiceRequest> = decode(&bytes, encoding, 100).expect("decoded");
        let spans = &decoded.request.resource_spans[0].scope_spans[0].spans;
        assert_eq!((spans.len(), spans[0].name.as_str()), (1, "good"), "{encoding:?}");
        let rest = &decoded.undecodable.spans[0].0.resource_spans[0].scope_spans[0].spans[0];
        assert_eq!((rest.name.as_str(), rest.attributes.len()), ("bad", 0), "{encoding:?}");
    }
}

#[test]
fn a_shared_resource_with_an_invalid_value_rejects_no_span() {
    let text = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"\ud83d"}},{"key":"service.name","value":{"stringValue":"shop"}}]},
        "scopeSpans":[{"spans":[{"name":"good"}]}]}]}"#;
    let decoded: Decoded<ExportTraceServiceRequest> =
        decode(text.as_bytes(), Encoding::Json, 100).expect("decoded");
    assert_eq!(decoded.undecodable.count, 0);
    let of = &decoded.request.resource_spans[0];
    assert_eq!(of.resource.as_ref().expect("a resource").attributes, [attribute("service.name", "shop")]);
    assert_eq!(of.scope_spans[0].spans.len(), 1);
}

#[test]
fn a_value_that_cannot_be_decoded_rejects_only_its_data_point() {
    let points = r#"[{"asInt":"1"},{"asInt":"x"},{"asDouble":2}]"#;
    let kinds = r#"{"dataPoints":[{"count":1},{"count":-1}],"aggregationTemporality":2}"#;
    let text = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[
        {{"name":"a","gauge":{{"dataPoints":{points}}}}},
        {{"name":"b","sum":{{"dataPoints":{points},"aggregationTemporality":"NONE"}}}},
        {{"name":"c","histogram":{kinds}}},{{"name":"d","exponentialHistogram":{kinds}}},{{"name":"e","summary":{kinds}}}
        ]}}]}}]}}"#
    );
    let decoded: Decoded<ExportMetricsServiceRequest> =
        decode(text.as_bytes(), Encoding::Json, 100).expect("decoded");
    let metrics = &decoded.request.resource_metrics[0].scope_metrics[0].metrics;
    assert_eq!(
        decoded.undecodable.count,
        1 + 3 + 3,
        "of each metric one, and all of the one without a valid kind"
    );
    assert_eq!(metrics[0].gauge.as_ref().map(|gauge| gauge.data_points.len()), Some(2));
    assert_eq!(metrics[1].sum.as_ref().map(|sum| sum.data_points.len()), Some(0));
    let histogram = metrics[2].histogram.as_ref().expect("a histogram");
    assert_eq!((histogram.aggregation_temporality, histogram.data_points[0].count), (2, 1));
    assert_eq!(metrics[3].exponential_histogram.as_ref().map(|data| data.data_points.len()), Some(1));
    assert_eq!(metrics[4].summary.as_ref().map(|data| data.data_points.len()), Some(1));
}
