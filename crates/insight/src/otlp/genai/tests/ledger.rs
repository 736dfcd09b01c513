//! Reported calls in the ledger: each once.

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

use super::{of, one};
use crate::fixture::Fixture;
use crate::otlp::genai::sink::{CALLS, CallFrame, CallSink};
use crate::otlp::genai::stored::encode;
use crate::otlp::tests::{attribute, span};

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
        let attributes =
            vec![attribute("gen_ai.operation.name", "execute_tool"), attribute("gen_ai.tool.name", "add")];
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
