use loam_gateway::Usage;
use loam_gateway::llm_calls::{CallState, ReportedCall};
use loam_platform::pack::unpack;
use serde_json::{Value as Json, json};

use super::call::{GenAiCalls, extract};
use crate::otlp::spans::span_contexts;
use crate::otlp::tests::{PROJECT, attribute, request, span};
use crate::otlp::wire::{KeyValue, Span, Status, Value};

const MAX_BODY: usize = 1 << 20;

fn of(spans: Vec<Span>) -> GenAiCalls {
    extract(span_contexts(&request("x", spans)), PROJECT, MAX_BODY)
}

fn one(attributes: Vec<KeyValue>) -> ReportedCall {
    let mut found = of(vec![span(2, 1, 3, "chat", attributes)]);
    assert_eq!((found.calls.len(), found.tools.len()), (1, 0));
    found.calls.remove(0).reported
}

fn body(packed: Option<&Vec<u8>>) -> Json {
    let unpacked = unpack(packed.expect("a body")).expect("readable").expect("packed");
    serde_json::from_slice(&unpacked.body).expect("JSON")
}

const USAGE: Usage = Usage {
    prompt_tokens: 9,
    completion_tokens: 4,
    total_tokens: 13,
    cached_tokens: 0,
    cache_write_tokens: 0,
    reasoning_tokens: 0,
};

#[test]
fn model_calls_are_recognised_in_current_conventions() {
    let reported = one(vec![
        attribute("gen_ai.operation.name", "chat"),
        attribute("gen_ai.provider.name", "openai"),
        attribute("gen_ai.request.model", "gpt-4o"),
        attribute("gen_ai.response.model", "gpt-4o-2024-08-06"),
        attribute("gen_ai.usage.input_tokens", 9),
        attribute("gen_ai.usage.output_tokens", 4),
        attribute("gen_ai.conversation.id", "c1"),
        attribute("gen_ai.input.messages", r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#),
        attribute("gen_ai.output.messages", r#"[{"role":"assistant","parts":[]}]"#),
        attribute("gen_ai.request.temperature", Value::Double(0.5)),
    ]);
    let call = &reported.call;
    assert_eq!((call.provider.as_str(), call.model.as_str()), ("openai", "gpt-4o-2024-08-06"));
    assert_eq!((reported.requested_model.as_deref(), call.usage), (Some("gpt-4o"), Some(USAGE)));
    assert_eq!(
        (call.state, call.status, call.session.as_deref()),
        (CallState::Settled, Some(200), Some("c1"))
    );
    assert_eq!(call.span_id.as_deref(), Some("0000000000000002"));
    assert_eq!((call.latency_us, call.cost_nano_usd), (Some(1000), None));
    let request_body = body(call.request.as_ref());
    assert_eq!(request_body["messages"][0]["parts"][0]["content"], "hi");
    assert_eq!(
        (request_body["temperature"].as_f64(), request_body["model"].as_str()),
        (Some(0.5), Some("gpt-4o"))
    );
    assert_eq!(body(call.response.as_ref())["messages"][0]["role"], "assistant");
}

#[test]
fn model_calls_are_recognised_in_openinference() {
    let reported = one(vec![
        attribute("openinference.span.kind", "LLM"),
        attribute("llm.system", "openai"),
        attribute("llm.model_name", "gpt-4o-mini"),
        attribute("llm.token_count.prompt", 9),
        attribute("llm.token_count.completion", 4),
        attribute("llm.token_count.prompt_details.cache_read", 3),
        attribute("llm.cost.total", Value::Double(0.25)),
        attribute(
            "input.value",
            r#"{"messages":[{"role":"user","content":"my key is sk-0123456789abcdef"}]}"#,
        ),
        attribute("llm.output_messages.0.message.role", "assistant"),
        attribute("llm.output_messages.0.message.content", "hello"),
        attribute("llm.invocation_parameters", r#"{"max_tokens":5,"stream":true}"#),
    ]);
    let call = &reported.call;
    assert_eq!(
        (call.usage.map(|usage| usage.cached_tokens), call.cost_nano_usd),
        (Some(3), Some(250_000_000))
    );
    assert!(call.streamed);
    let request_body = body(call.request.as_ref());
    assert_eq!(
        (request_body["messages"][0]["content"].as_str(), request_body["max_tokens"].as_i64()),
        (Some("my key is [redacted]"), Some(5))
    );
    assert_eq!(
        body(call.response.as_ref())["choices"][0]["message"],
        json!({ "role": "assistant", "content": "hello" })
    );
}

#[test]
fn model_calls_are_recognised_in_openllmetry() {
    let reported = one(vec![
        attribute("llm.request.type", "chat"),
        attribute("gen_ai.system", "OpenAI"),
        attribute("gen_ai.request.model", "gpt-4o"),
        attribute("llm.usage.total_tokens", 13),
        attribute("gen_ai.usage.completion_tokens", 4),
        attribute("llm.is_streaming", Value::Bool(true)),
        attribute("gen_ai.prompt.0.role", "user"),
        attribute("gen_ai.prompt.0.content", "hi"),
        attribute("gen_ai.completion.0.content", "hello"),
    ]);
    let call = &reported.call;
    assert_eq!((call.provider.as_str(), call.usage, call.streamed), ("openai", Some(USAGE), true));
    assert_eq!(body(call.request.as_ref())["messages"], json!([{ "role": "user", "content": "hi" }]));
    assert_eq!(body(call.response.as_ref())["choices"][0]["message"]["content"], "hello");
}

#[test]
fn model_calls_are_recognised_from_langfuse() {
    let reported = one(vec![
        attribute("langfuse.observation.type", "generation"),
        attribute("langfuse.observation.model.name", "gpt-4o"),
        attribute("langfuse.observation.model.parameters", r#"{"temperature":0.5}"#),
        attribute("langfuse.observation.usage_details", r#"{"input":9,"output":4.0,"total":13}"#),
        attribute("langfuse.observation.cost_details", r#"{"total":0.25}"#),
        attribute("langfuse.observation.input", r#"[{"role":"user","content":"hi"}]"#),
        attribute("langfuse.observation.output", r#"{"role":"assistant","content":"hello"}"#),
        attribute("langfuse.observation.completion_start_time", "\"2026-09-21T14:13:20.000400Z\""),
        attribute("session.id", "s-1"),
        attribute("user.id", "bob"),
    ]);
    let call = &reported.call;
    assert_eq!(
        (call.model.as_str(), call.usage, call.cost_nano_usd),
        ("gpt-4o", Some(USAGE), Some(250_000_000))
    );
    assert_eq!((call.session.as_deref(), call.end_user.as_deref()), (Some("s-1"), Some("bob")));
    assert_eq!(call.first_token_us, Some(400));
    assert_eq!(body(call.request.as_ref())["messages"][0]["content"], "hi");
    assert_eq!(body(call.response.as_ref())["content"], "hello");
    let kinds = [("tool", (0, 1)), ("agent", (0, 0)), ("span", (0, 0)), ("embedding", (1, 0))];
    for (kind, counts) in kinds {
        let found = of(vec![span(2, 1, 1, "x", vec![attribute("langfuse.observation.type", kind)])]);
        assert_eq!((found.calls.len(), found.tools.len()), counts, "{kind}");
    }
}

#[test]
fn token_attributes_need_no_prefix() {
    let reported = one(vec![
        attribute("gen_ai.system", "anthropic"),
        attribute("gen_ai.request.model", "claude"),
        attribute("input_tokens", 9),
        attribute("output_tokens", "4.0"),
        attribute("cache_read_tokens", 3),
        attribute("gen_ai.usage.cache_write.input_tokens", 2),
        attribute("ttft_ms", 120),
    ]);
    let call = &reported.call;
    assert_eq!(call.usage, Some(Usage { cached_tokens: 3, cache_write_tokens: 2, ..USAGE }));
    assert_eq!(call.first_token_us, Some(120_000));
}

#[test]
fn a_bad_value_does_not_hide_a_good_one_under_another_name() {
    let reported = one(vec![
        attribute("llm.request.type", "chat"),
        attribute("gen_ai.usage.input_tokens", Value::Double(f64::NAN)),
        attribute("llm.usage.prompt_tokens", Value::Double(9.0)),
        attribute("gen_ai.usage.output_tokens", -1),
        attribute("gen_ai.usage.completion_tokens", 4),
        attribute("gen_ai.input.messages", ""),
        attribute("input.value", r#"[{"role":"user","content":"hi"}]"#),
        attribute("llm.invocation_parameters", r#"{"model":"qwen-max"}"#),
    ]);
    assert_eq!((reported.call.usage, reported.call.model.as_str()), (Some(USAGE), "qwen-max"));
    assert_eq!(body(reported.call.request.as_ref())["messages"][0]["content"], "hi");
}

#[test]
fn calls_of_the_responses_api_have_its_endpoint() {
    for (name, more) in [
        ("openai.responses.create", attribute("x", "y")),
        ("chat gpt-4o", attribute("gen_ai.response.id", "resp_1")),
        ("chat gpt-4o", attribute("openai.api.type", "responses")),
        ("chat gpt-4o", attribute("url.full", "https://api.openai.com/v1/responses?a=b")),
    ] {
        let found = of(vec![span(2, 1, 3, name, vec![attribute("gen_ai.operation.name", "chat"), more])]);
        assert_eq!(found.calls[0].reported.call.endpoint, "/responses", "{name}");
    }
    let chat = attribute("gen_ai.response.id", "chatcmpl-1");
    let found = of(vec![span(2, 1, 3, "chat", vec![attribute("gen_ai.operation.name", "chat"), chat])]);
    assert_eq!(found.calls[0].reported.call.endpoint, "/chat/completions");
}

#[test]
fn excluded_cached_tokens_are_added_to_input_tokens() {
    let reported = one(vec![
        attribute("gen_ai.operation.name", "chat"),
        attribute("gen_ai.usage.input_tokens", 2),
        attribute("gen_ai.usage.cache_read.input_tokens", 30),
        attribute("gen_ai.usage.cache_creation.input_tokens", 8),
    ]);
    assert_eq!(
        reported.call.usage.map(|usage| (usage.prompt_tokens, usage.cache_write_tokens)),
        Some((40, 8))
    );
}

#[test]
fn failed_calls_have_an_error_and_calls_without_usage_are_estimated() {
    let mut failed = span(2, 1, 3, "chat", vec![attribute("gen_ai.operation.name", "chat")]);
    failed.status = Some(Status { code: 2, message: "rate limited".to_owned() });
    let call = of(vec![failed]).calls.remove(0).reported.call;
    assert_eq!(
        (call.state, call.status, call.error.as_deref()),
        (CallState::Failed, None, Some("Error: rate limited"))
    );
    let call = one(vec![attribute("gen_ai.operation.name", "embeddings")]).call;
    assert_eq!(
        (call.state, call.endpoint.as_str(), call.model.as_str()),
        (CallState::Estimated, "/embeddings", "unknown")
    );
}

#[test]
fn agents_and_chains_are_no_calls_and_inner_spans_take_precedence() {
    let llm = |id, parent| span(id, parent, 1, "llm", vec![attribute("openinference.span.kind", "LLM")]);
    let agent = span(1, 0, 1, "agent", vec![attribute("gen_ai.operation.name", "invoke_agent")]);
    let chain = span(5, 1, 1, "chain", vec![attribute("openinference.span.kind", "CHAIN")]);
    let found = of(vec![agent, chain, llm(2, 5), llm(3, 2), span(4, 3, 3, "POST", vec![])]);
    assert_eq!(found.calls.len(), 1);
    let reported = &found.calls[0].reported;
    assert_eq!(reported.call.span_id.as_deref(), Some("0000000000000003"));
    assert_eq!(reported.child_span_ids, ["0000000000000004"]);
}

#[test]
fn tool_calls_are_recognised_in_each_convention() {
    let spans = vec![
        span(
            2,
            1,
            1,
            "execute_tool add",
            vec![
                attribute("gen_ai.operation.name", "execute_tool"),
                attribute("gen_ai.tool.name", "add"),
                attribute("gen_ai.tool.call.id", "call_1"),
                attribute("gen_ai.tool.call.arguments", r#"{"a":1}"#),
                attribute("gen_ai.tool.call.result", "3"),
            ],
        ),
        span(
            3,
            1,
            1,
            "t",
            vec![attribute("openinference.span.kind", "TOOL"), attribute("tool.name", "look")],
        ),
        span(
            4,
            1,
            1,
            "t",
            vec![attribute("traceloop.span.kind", "tool"), attribute("traceloop.entity.name", "find")],
        ),
    ];
    let tools = of(spans).tools;
    let names: Vec<&str> = tools.iter().map(|tool| tool.tool.as_str()).collect();
    assert_eq!(names, ["add", "look", "find"]);
    assert_eq!(
        (tools[0].call_id.as_str(), tools[0].arguments.as_str(), tools[0].result.as_deref()),
        ("call_1", r#"{"a":1}"#, Some("3"))
    );
    assert_eq!(tools[1].call_id, "0000000000000003", "without an id of its own, the span's");
    assert!(tools.iter().all(|tool| tool.error.is_none() && tool.duration_ms == 1));
}

#[test]
fn bodies_can_be_excluded_and_duplicates_have_the_same_id() {
    let spans = || {
        request(
            "x",
            vec![span(
                2,
                1,
                3,
                "chat",
                vec![attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.prompt.0.content", "hi")],
            )],
        )
    };
    let [one, two] =
        [(); 2].map(|()| extract(span_contexts(&spans()), PROJECT, 0).calls.remove(0).reported.call);
    assert_eq!((one.id, one.request), (two.id, None));
}

mod ledger {
    use chrono::{DateTime, TimeDelta, Utc};
    use loam_gateway::llm_calls::entity::{Column, Entity};
    use loam_gateway::llm_calls::{ImportedCall, ReportedCall, Source, SpanLinks, insert_imported};
    use loam_gateway::usage::entity::Entity as UsageStats;
    use loam_journal::{Frame, Position};
    use loam_kernel::{LlmCallId, NodeId, Scope, TenantId};
    use loam_platform::drain::Sink;
    use loam_testkit::{Database, on_both};
    use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};
    use uuid::Uuid;

    use super::*;
    use crate::fixture::Fixture;
    use crate::otlp::genai::sink::{CALLS, CallFrame, CallSink};
    use crate::otlp::genai::stored::encode;

    on_both![
        duplicate_calls_are_counted_once,
        calls_that_went_through_loam_are_not_counted_again,
        tool_calls_are_written_once,
        nested_spans_are_one_call_in_any_order_of_exports,
        sibling_spans_are_one_call,
        calls_join_those_of_the_gateway_by_their_response,
    ];

    const NODE: NodeId = NodeId(Uuid::from_u128(9));

    async fn drain(
        bed: &Fixture,
        calls: Vec<ReportedCall>,
        tools: Vec<loam_gateway::tool_calls::ReportedToolCall>,
    ) {
        let tenant = bed.scope().tenant();
        let payload = encode(CallFrame { tenant, calls, tools }).unwrap();
        let frame = Frame { kind: CALLS, key: [0; 16], position: Position(1), payload };
        let sink = CallSink::new(bed.clock.clone(), NODE, bed.guard());
        assert!(sink.takes(frame.kind) && sink.tenant(&frame) == tenant);
        let tx = bed.database.db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        sink.write(&tx, &[frame]).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn reported(bed: &Fixture, span: &str, at: DateTime<Utc>) -> ReportedCall {
        let mut reported = one(vec![
            attribute("gen_ai.operation.name", "chat"),
            attribute("gen_ai.system", "openai"),
            attribute("gen_ai.request.model", "gpt-4o"),
            attribute("gen_ai.usage.input_tokens", 9),
            attribute("gen_ai.usage.output_tokens", 4),
        ]);
        let id = crate::trace::id(at, &[span.as_bytes()]);
        reported.call = ImportedCall {
            id: LlmCallId(id),
            at,
            project: None,
            span_id: Some(span.to_owned()),
            ..reported.call
        };
        reported.call.latency_us = Some(500_000);
        assert!(at <= bed.clock.now());
        reported
    }

    async fn rows(bed: &Fixture) -> Vec<(String, Option<String>)> {
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let rows = tx.find::<Entity>().order_by_asc(Column::SpanId).all().await.unwrap();
        rows.into_iter().map(|row| (row.source, row.span_id)).collect()
    }

    async fn duplicate_calls_are_counted_once(database: Database) {
        let bed = Fixture::new(database).await;
        let at = bed.clock.now() - TimeDelta::minutes(1);
        for _ in 0..2 {
            drain(&bed, vec![reported(&bed, "a", at), reported(&bed, "a", at)], vec![]).await;
        }
        assert_eq!(rows(&bed).await, [("otlp".to_owned(), Some("a".to_owned()))]);
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let sums = tx.find::<UsageStats>().all().await.unwrap();
        assert_eq!(sums.len(), 3, "by minute, hour and day");
        assert!(
            sums.iter()
                .all(|row| row.source.as_deref() == Some("otlp") && (row.calls, row.total_tokens) == (1, 13))
        );
    }

    async fn calls_that_went_through_loam_are_not_counted_again(database: Database) {
        let bed = Fixture::new(database).await;
        let at = bed.clock.now() - TimeDelta::minutes(1);
        let inner = |reported: ReportedCall, span: &str| ReportedCall {
            child_span_ids: vec![span.to_owned()],
            ..reported
        };
        let own = |span: &str, at: DateTime<Utc>| {
            let call = reported(&bed, span, at).call;
            let id = LlmCallId(bed.clock.id_at(at));
            ImportedCall {
                id,
                source: Source::Gateway,
                provider: "main".to_owned(),
                latency_us: Some(300_000),
                ..call
            }
        };
        let later = at + TimeDelta::milliseconds(100);
        let gateway = vec![own("by-id", later), own("http-span", later), own("nobody-reported", later)];
        let tx = bed.database.db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        insert_imported(&tx, bed.scope().tenant(), NODE, bed.clock.now(), gateway).await.unwrap();
        tx.commit().await.unwrap();
        let early = reported(&bed, "earlier", at - TimeDelta::seconds(30));
        let mut other_trace = reported(&bed, "elsewhere", at);
        other_trace.call.trace_id = Some("f".repeat(32));
        let mut other_model = reported(&bed, "other-model", at);
        other_model.call.model = "claude".to_owned();
        other_model.requested_model = None;
        let reported = vec![
            reported(&bed, "by-id", at),
            inner(reported(&bed, "by-child", at), "http-span"),
            reported(&bed, "by-time", at),
            early,
            other_trace,
            other_model,
        ];
        drain(&bed, reported, vec![]).await;
        let otlp: Vec<String> =
            rows(&bed).await.into_iter().filter(|row| row.0 == "otlp").filter_map(|row| row.1).collect();
        assert_eq!(otlp, ["earlier", "elsewhere", "other-model"]);
    }

    async fn tool_calls_are_written_once(database: Database) {
        let bed = Fixture::new(database).await;
        let reported = || {
            let attributes = vec![
                attribute("gen_ai.operation.name", "execute_tool"),
                attribute("gen_ai.tool.name", "add"),
            ];
            let mut tool = of(vec![span(2, 1, 1, "t", attributes)]).tools.remove(0);
            tool.at = bed.clock.now();
            tool.id = loam_kernel::ToolCallId(crate::trace::id(tool.at, &[b"tool"]));
            tool
        };
        drain(&bed, vec![], vec![reported(), reported()]).await;
        drain(&bed, vec![], vec![reported()]).await;
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let rows = tx.find::<loam_gateway::tool_calls::entity::Entity>().all().await.unwrap();
        let trace = "00000000000000000000000000000007";
        assert_eq!(
            (rows.len(), rows[0].tool_name.as_str(), rows[0].trace_id.as_deref()),
            (1, "add", Some(trace))
        );
    }

    /// A reported call of a trace, in an instrumentation scope, enclosed by a span.
    fn within(bed: &Fixture, (trace, span, parent): (&str, &str, &str), scope: &str) -> ReportedCall {
        let at = bed.clock.now() - TimeDelta::minutes(1);
        let mut reported = reported(bed, span, at);
        reported.call.id = LlmCallId(crate::trace::id(at, &[trace.as_bytes(), span.as_bytes()]));
        reported.call.trace_id = Some(trace.to_owned());
        reported.call.links =
            Some(SpanLinks { scopes: vec![scope.to_owned()], span_ids: vec![parent.to_owned()] });
        reported
    }

    /// The spans in the ledger, and calls and tokens in the sums by minute, hour and day.
    async fn counted(bed: &Fixture) -> (Vec<Option<String>>, Vec<(i64, i64)>) {
        let spans = rows(bed).await.into_iter().map(|(_, span)| span).collect();
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let sums = tx.find::<UsageStats>().all().await.unwrap();
        (spans, sums.into_iter().map(|row| (row.calls, row.total_tokens)).collect())
    }

    async fn nested_spans_are_one_call_in_any_order_of_exports(database: Database) {
        let bed = Fixture::new(database).await;
        let spans = [("outer", "root"), ("middle", "outer"), ("inner", "middle")];
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        for (number, order) in orders.into_iter().enumerate() {
            // each export is sent twice
            for index in order.into_iter().chain(order) {
                let (span, parent) = spans[index];
                let call = within(&bed, (&number.to_string(), span, parent), "x");
                drain(&bed, vec![call], vec![]).await;
            }
        }
        let (spans, sums) = counted(&bed).await;
        assert_eq!(spans, vec![Some("inner".to_owned()); orders.len()]);
        assert_eq!(sums, [(6, 78); 3], "by minute, hour and day");
    }

    async fn sibling_spans_are_one_call(database: Database) {
        let bed = Fixture::new(database).await;
        drain(&bed, vec![within(&bed, ("t", "a", "root"), "openai")], vec![]).await;
        let sibling = || within(&bed, ("t", "b", "root"), "langchain");
        for _ in 0..2 {
            drain(&bed, vec![sibling()], vec![]).await;
        }
        let other_trace = within(&bed, ("u", "c", "root"), "langchain");
        drain(&bed, vec![other_trace, within(&bed, ("t", "d", "root"), "openai")], vec![]).await;
        let (spans, sums) = counted(&bed).await;
        assert_eq!(spans, ["a", "c", "d"].map(|span| Some(span.to_owned())));
        assert_eq!(sums, [(3, 39); 3]);
    }

    async fn calls_join_those_of_the_gateway_by_their_response(database: Database) {
        let bed = Fixture::new(database).await;
        let with_response = |span: &str, parent: &str, response: Option<&str>| {
            let mut reported = within(&bed, ("t", span, parent), "openai");
            reported.call.response_id = response.map(str::to_owned);
            reported
        };
        let at = bed.clock.now() - TimeDelta::minutes(1) + TimeDelta::milliseconds(100);
        let own = ImportedCall {
            id: LlmCallId(bed.clock.id_at(at)),
            at,
            source: Source::Gateway,
            trace_id: None,
            span_id: None,
            links: None,
            ..with_response("own", "root", Some("chatcmpl-1")).call
        };
        let tx = bed.database.db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        insert_imported(&tx, bed.scope().tenant(), NODE, bed.clock.now(), vec![own]).await.unwrap();
        tx.commit().await.unwrap();
        // the outer span doesn't know the response, and is counted until the inner one arrives
        let outer = || with_response("outer", "root", None);
        drain(&bed, vec![outer()], vec![]).await;
        assert_eq!(rows(&bed).await.len(), 2);
        let inner = with_response("a", "outer", Some("chatcmpl-1"));
        drain(&bed, vec![inner, with_response("b", "root", Some("chatcmpl-2"))], vec![]).await;
        drain(&bed, vec![outer()], vec![]).await;
        let found = [("gateway", "a"), ("otlp", "b")];
        assert_eq!(rows(&bed).await, found.map(|(source, span)| (source.to_owned(), Some(span.to_owned()))));
        let tx = bed.database.db.read(&bed.scope()).await.unwrap();
        let own = tx.find::<Entity>().filter(Column::SpanId.eq("a")).one().await.unwrap().unwrap();
        assert_eq!(own.trace_id.as_deref(), Some("t"), "a span gives the gateway's call its trace");
    }
}
