use loam_journal::Position;
use loam_testkit::check_golden;

use super::*;
use crate::llm_calls::refusal::ExceededLimit;

fn render(payload: &[u8]) -> String {
    let frame = Frame { kind: SETTLEMENT, key: [7; 16], position: Position(1), payload: payload.to_vec() };
    let Entry { record, source, request, response, .. } = Entry::read(&frame).expect("read");
    let text = |body: Option<Vec<u8>>| body.map(|body| String::from_utf8(body).expect("a text"));
    format!("{record:#?}\n{source:?}\n{:?}\n{:?}", text(request), text(response))
}

#[test]
fn all_versions_are_read() {
    let attempt = Attempt {
        target: "openai/m".to_owned(),
        status: Some(503),
        duration_ms: 1.5,
        error: Some("overloaded".to_owned()),
    };
    let record = Record {
        tenant: Uuid::from_u128(1).into(),
        id: Uuid::from_u128(2).into(),
        node: Uuid::from_u128(3).into(),
        state: CallState::Estimated,
        provider: "openai".to_owned(),
        model: "m".to_owned(),
        endpoint: "/chat/completions".to_owned(),
        route: Some("fast".to_owned()),
        api_key: Some(Uuid::from_u128(4).into()),
        user: Some(Uuid::from_u128(5).into()),
        project: Some(Uuid::from_u128(6).into()),
        session: Some("talk".to_owned()),
        request_id: "r".to_owned(),
        trace_id: Some("t".to_owned()),
        span_id: Some("s".to_owned()),
        streamed: true,
        status: Some(200),
        error: Some("cut".to_owned()),
        usage: Some(Usage {
            prompt_tokens: 1,
            completion_tokens: 2,
            total_tokens: 3,
            cached_tokens: 1,
            cache_write_tokens: 0,
            reasoning_tokens: 0,
        }),
        cost_nano_usd: Some(-1),
        reserved_nano_usd: Some(1_000_000),
        cache: Some(CacheUse::Miss),
        latency_us: Some(70_000),
        first_token_us: Some(30_000),
        attempts: vec![attempt],
        created_us: 1_790_000_000_000_000,
        updated_us: 1_790_000_000_070_000,
        end_user: Some("bob-1".to_owned()),
        tags: vec!["search".to_owned(), "team-a".to_owned()],
        metadata: vec![("plan".to_owned(), "pro".to_owned())],
        refusal: Some(Refusal {
            code: "budget_day".to_owned(),
            free_at: Some(1_790_000_000),
            limit: Some(ExceededLimit {
                id: Uuid::from_u128(8).into(),
                subject_type: "api_key".to_owned(),
                subject_id: Uuid::from_u128(4),
                unit: "usd".to_owned(),
                limit: 500,
                needed: 70,
                left: 30,
            }),
        }),
        refused: 3,
        refused_before: 1,
        response_id: Some("chatcmpl-1".to_owned()),
        quantity: Some(Quantity::whole(loam_providers::Unit::Seconds, 7)),
        omitted: vec![vec!["top_k: OpenAI doesn't take it".to_owned()]],
    };
    let current = [&record.header(b"ask").expect("written")[..], b"asktold"].concat();
    check_golden(LLM_CALL_FRAME.kind(), LLM_CALL_FRAME.versions(), &current, render);
}

#[test]
fn a_record_is_read_back_unchanged() {
    let usage = Usage {
        prompt_tokens: 1,
        completion_tokens: 2,
        total_tokens: 3,
        cached_tokens: 1,
        cache_write_tokens: 0,
        reasoning_tokens: 0,
    };
    let attempt = Attempt { target: "p/m".to_owned(), status: Some(200), duration_ms: 1.5, error: None };
    let record = Record {
        state: CallState::Settled,
        provider: "p".to_owned(),
        trace_id: Some("t".to_owned()),
        usage: Some(usage),
        cost_nano_usd: Some(-1),
        attempts: vec![attempt],
        created_us: 7,
        end_user: Some("bob-1".to_owned()),
        ..Record::default()
    };
    let header = record.header(b"request").expect("written");
    let payload = [&header[..], b"request", b"response"].concat();
    let mut frame = Frame { kind: SETTLEMENT, key: [0; 16], position: Position(1), payload };
    let read = Entry::read(&frame).expect("read");
    assert_eq!(format!("{:?}", read.record), format!("{record:?}"));
    assert_eq!(
        (read.request.as_deref(), read.response.as_deref()),
        (Some(&b"request"[..]), Some(&b"response"[..]))
    );
    frame.payload[0] = 200;
    assert!(Entry::read(&frame).is_err(), "an unknown version is rejected");
    frame.payload.truncate(5);
    assert!(Entry::read(&frame).is_err());
}
