use chrono::DateTime;
use loam_testkit::check_golden;
use serde_json::json;
use uuid::Uuid;

use super::stored::ErrorFrame;
use super::stored::{decode, encode};
use super::*;
use crate::otlp::body::{Encoding, decode as decode_body};
use crate::otlp::tests::PROJECT;

const AT: u64 = 1_790_000_000_000_000_000;

/// Converts log records, given as OTLP/JSON.
fn converted(records: &Json) -> Converted {
    let request = json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeLogs": [{"scope": {"name": "shop.pay"}, "logRecords": records}],
    }]});
    let decoded =
        decode_body::<ExportLogsServiceRequest>(request.to_string().as_bytes(), Encoding::Json, 100)
            .expect("OTLP");
    assert_eq!(decoded.undecodable.count, 0);
    let now = DateTime::from_timestamp_nanos(i64::try_from(AT).expect("a time"));
    let times = TimeLimits { now, max_age_days: 28 };
    convert(&decoded.request, PROJECT, &OtlpSettings::default(), times)
}

fn texts(converted: &Converted) -> Vec<(&str, &str)> {
    converted.errors.iter().map(|error| (error.kind.as_str(), error.message.as_str())).collect()
}

fn attribute(key: &str, value: &str) -> Json {
    json!({"key": key, "value": {"stringValue": value}})
}

#[test]
fn exceptions_and_errors_are_stored_and_other_records_are_not() {
    let time = AT.to_string();
    let found = converted(&json!([
        {"timeUnixNano": time, "severityNumber": 9, "body": {"stringValue": "paid"}},
        {"timeUnixNano": time, "severityNumber": "SEVERITY_NUMBER_WARN4", "body": {"stringValue": "slow"}},
        {"timeUnixNano": time, "severityNumber": "SEVERITY_NUMBER_ERROR", "severityText": "ERROR",
            "body": {"stringValue": "no such card"}},
        {"timeUnixNano": time, "severityNumber": 21, "body": {"stringValue": "out of memory"}},
        {"timeUnixNano": time, "severityNumber": 13, "body": {"stringValue": "retrying"}, "attributes": [
            attribute("exception.type", "ValueError"), attribute("exception.message", "bad key sk-0123456789abcdef"),
            attribute("exception.stacktrace", "Traceback\n  in pay\n"), attribute("order", "7")]},
    ]));
    let expected =
        [("ERROR", "no such card"), ("ERROR", "out of memory"), ("ValueError", "bad key [redacted]")];
    assert_eq!(texts(&found), expected);
    assert_eq!(found.rejections.count(), 0);
    let raised = &found.errors[2];
    assert!(raised.stack.as_ref().is_some_and(|stack| stack.contains("in pay")));
    assert_eq!(raised.context["attributes"], json!({"order": "7"}));
    assert_eq!((&raised.context["logger"], &raised.context["service"]), (&json!("shop.pay"), &json!("shop")));
}

#[test]
fn an_error_joins_its_trace_and_duplicates_have_one_id() {
    let trace = "0102030405060708090a0b0c0d0e0f10";
    let record = |trace: &str| {
        json!([{"timeUnixNano": AT.to_string(), "severityNumber": 17, "body": {"stringValue": "x"},
            "traceId": trace, "spanId": "0102030405060708"}])
    };
    let (one, again) = (converted(&record(trace)), converted(&record(trace)));
    assert_eq!(one.errors[0].trace_id.as_deref(), Some(trace));
    assert_eq!(one.errors[0].context["call_id"], "0102030405060708");
    assert_eq!(one.errors[0].id, again.errors[0].id);
    let without = converted(&record(""));
    assert_eq!(without.errors[0].trace_id, None);
    assert_ne!(without.errors[0].id, one.errors[0].id);
}

#[test]
fn a_time_out_of_range_is_rejected_and_a_missing_one_is_that_of_the_request() {
    let found = converted(&json!([
        {"timeUnixNano": (AT - 40 * 86_400 * 1_000_000_000).to_string(), "severityNumber": 17},
        {"timeUnixNano": (AT + 2 * 3600 * 1_000_000_000).to_string(), "severityNumber": 17},
        {"severityNumber": 17, "body": {"stringValue": "late"}},
    ]));
    assert_eq!(found.rejections.count(), 2);
    assert_eq!(texts(&found), [("ERROR", "late")]);
    assert_eq!(found.errors[0].at.timestamp_nanos_opt(), i64::try_from(AT).ok());
}

#[test]
fn all_versions_of_frames_are_read() {
    let error = |number: u128| ReportedError {
        tenant: PROJECT.tenant,
        id: ErrorLogId(Uuid::from_u128(number)),
        project: PROJECT.project,
        source: ErrorSource::Log,
        trace_id: (number == 1).then(|| "t".to_owned()),
        record_id: None,
        endpoint: None,
        kind: "ValueError".to_owned(),
        message: "no such card".to_owned(),
        stack: (number == 1).then(|| "in pay".to_owned()),
        context: json!({"logger": "shop.pay", "attributes": {"order": "7"}}),
        at: DateTime::from_timestamp_nanos(1_790_000_000_123_456_789),
    };
    let frame = ErrorFrame { tenant: PROJECT.tenant, errors: vec![error(1), error(2)] };
    let payload = encode(frame).expect("encoded");
    check_golden(REPORTED_ERRORS_FRAME.kind(), REPORTED_ERRORS_FRAME.versions(), &payload, |payload| {
        format!("{:?}", decode(payload).expect("read"))
    });
}
