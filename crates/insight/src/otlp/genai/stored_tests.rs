use chrono::DateTime;
use loam_gateway::Usage;
use loam_gateway::llm_calls::{CallState, Source};
use loam_testkit::check_golden;
use uuid::Uuid;

use super::*;
use crate::otlp::tests::PROJECT;

const USAGE: Usage = Usage {
    prompt_tokens: 9,
    completion_tokens: 4,
    total_tokens: 13,
    cached_tokens: 2,
    cache_write_tokens: 1,
    reasoning_tokens: 0,
};

fn frame(states: &[CallState]) -> CallFrame {
    let id = |number| Uuid::from_u128(number);
    let at = DateTime::from_timestamp_nanos(1_790_000_000_123_456_789);
    let call = |(number, state): (u128, CallState)| ReportedCall {
        call: ImportedCall {
            id: id(number).into(),
            at,
            state,
            provider: "openai".to_owned(),
            model: "gpt-4o".to_owned(),
            session: Some("c1".to_owned()),
            user: Some(id(5).into()),
            end_user: (state == CallState::Settled).then(|| "bob-1".to_owned()),
            project: Some(PROJECT.project),
            streamed: true,
            status: Some(200),
            error: Some("Timeout: late".to_owned()),
            usage: Some(USAGE),
            cost_nano_usd: Some(-70),
            latency_us: Some(80_000),
            first_token_us: Some(9_000),
            source: if state == CallState::Failed { Source::Gateway } else { Source::Otlp },
            endpoint: "/chat/completions".to_owned(),
            trace_id: Some("t".to_owned()),
            span_id: Some("s".to_owned()),
            response_id: Some("chatcmpl-1".to_owned()),
            links: Some(SpanLinks { scopes: vec!["x".to_owned()], span_ids: vec!["r".to_owned()] }),
            request: Some(b"\0ask".to_vec()),
            response: Some(b"\0answer".to_vec()),
        },
        requested_model: Some("gpt".to_owned()),
        child_span_ids: vec!["x".to_owned(), "y".to_owned()],
    };
    let tool = ReportedToolCall {
        id: id(9).into(),
        at,
        call_id: "call_1".to_owned(),
        tool: "search".to_owned(),
        arguments: "{}".to_owned(),
        result: Some("found".to_owned()),
        error: Some("slow".to_owned()),
        duration_ms: 12,
        trace_id: "t".to_owned(),
        span_id: "s".to_owned(),
    };
    let calls = (1..).zip(states.iter().copied()).map(call).collect();
    CallFrame { tenant: PROJECT.tenant, calls, tools: vec![tool] }
}

#[test]
fn all_versions_of_frames_are_read() {
    let states =
        [CallState::Open, CallState::Settled, CallState::Estimated, CallState::Failed, CallState::Orphaned];
    let payload = encode(frame(&states)).expect("encoded");
    check_golden(REPORTED_CALLS_FRAME.kind(), REPORTED_CALLS_FRAME.versions(), &payload, |payload| {
        format!("{:?}", decode(payload).expect("read"))
    });
}

#[test]
fn the_earliest_frames_end_before_the_end_users() {
    let mut frame = frame(&[CallState::Estimated]);
    (frame.calls[0].call.response_id, frame.calls[0].call.links) = (None, None);
    let whole = encode(frame).expect("encoded");
    // without mark and version, and without two lists: of one end user, which is none, and of one empty identity
    let early = &whole[3..whole.len() - 6];
    let read = decode(early).expect("read");
    assert_eq!((read.calls.len(), read.tools.len()), (1, 1));
    assert!(decode(&whole[..whole.len() - 6]).is_err(), "since version 2 the first list is required");
    assert!(decode(&whole[..whole.len() - 4]).is_err(), "since version 3 the second list is required");
}
