//! Declaring tools and recording tool calls, on real SQL.

use chrono::TimeDelta;
use loam_gateway::tool_calls::ToolCallStatus;
use loam_gateway::tool_calls::routes::ToolCallFilter;
use loam_gateway::tool_calls::{NewToolCall, ToolCallOutcome};
use loam_kernel::{ExpectedVersion, PageQuery, ToolCallId};
use loam_testkit::{Database, on_both};
use serde_json::{Value, json};

use super::{ClientResult, ToolDeclaration, ToolInvocation, declared, masked};
use crate::chat_sessions::access;
use crate::exchanges::tests::Fixture;

on_both![
    a_model_gets_the_declared_tools,
    a_call_whose_server_crashed_fails,
    a_call_ends_once,
    the_calls_of_a_session_are_deleted_in_batches,
    a_result_is_accepted_only_for_a_pending_call,
];

fn tools(json: Value) -> Vec<ToolDeclaration> {
    serde_json::from_value(json).unwrap()
}

fn invocation(fixture: &Fixture, call_id: &str) -> ToolInvocation {
    ToolInvocation {
        session: fixture.session,
        turn: None,
        message: None,
        llm_call: None,
        call_id: call_id.to_owned(),
        arguments: "{}".to_owned(),
    }
}

async fn begin(fixture: &Fixture, run_by_client: bool) -> ToolCallId {
    let new = NewToolCall {
        session: fixture.session,
        user: None,
        turn: None,
        message: None,
        llm_call: None,
        call_id: "c".to_owned(),
        tool: "f\0".to_owned(),
        arguments: "ä".repeat(100_000),
        run_by_client,
    };
    let tx = fixture.db.write(&fixture.scope).await.unwrap();
    let id = fixture.conversation.tools.0.gateway.record_tool_call(&tx, new).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn status(fixture: &Fixture, id: ToolCallId) -> (ToolCallStatus, Option<String>) {
    let row = fixture.conversation.tools.0.gateway.get_tool_call(&fixture.scope, id).await.unwrap();
    (row.status, row.result.or(row.error_message))
}

async fn a_model_gets_the_declared_tools(database: Database) {
    let fixture = Fixture::new(database).await;
    let function =
        json!({"name": "f", "description": "does", "parameters": {"type": "object"}, "strict": true});
    let new = tools(json!([
        {"function": function},
        {"type": "function", "function": {"name": "g"},
            "execution": {"kind": "http", "url": "http://192.0.32.8/", "headers": {"x-key": "the-secret-of-g"}}}
    ]));
    let any = ExpectedVersion::any();
    let declare = fixture.conversation.tools.declare_tools(&fixture.scope, fixture.session, new, &any);
    assert!(!declare.await.unwrap().value.to_string().contains("the-secret"));
    let tx = fixture.db.read(&fixture.scope).await.unwrap();
    let session = access::get(&tx, fixture.session).await.unwrap();
    let all = declared(&tx, &session).await.unwrap();
    assert_eq!(all[0].wire(), json!({"type": "function", "function": function}));
    assert_eq!(
        all.iter().map(|tool| (tool.name(), tool.runs_on_server())).collect::<Vec<_>>(),
        [("f", false), ("g", true)]
    );
    let row = fixture.conversation.tools.list_tools(&fixture.scope, fixture.session).await.unwrap().unwrap();
    let unreadable =
        masked(crate::session_configs::entity::Model { value: json!([{"secret": "s"}]).into(), ..row });
    assert_eq!(unreadable.value.0, json!([]), "an unreadable value is not shown");
}

async fn a_call_whose_server_crashed_fails(database: Database) {
    let fixture = Fixture::new(database).await;
    let (lost, waiting) = (begin(&fixture, false).await, begin(&fixture, true).await);
    fixture.clock.advance(TimeDelta::minutes(61));
    let running = begin(&fixture, false).await;
    assert_eq!(fixture.conversation.tools.0.gateway.fail_lost_tool_calls().await.unwrap(), 1);
    let (state, why) = status(&fixture, lost).await;
    assert!(state == ToolCallStatus::Failed && why.unwrap().contains("died"));
    assert_eq!(status(&fixture, waiting).await.0, ToolCallStatus::Waiting);
    assert_eq!(status(&fixture, running).await.0, ToolCallStatus::Running);
    assert_eq!(fixture.conversation.tools.0.gateway.fail_lost_tool_calls().await.unwrap(), 0);
}

async fn a_call_ends_once(database: Database) {
    let fixture = Fixture::new(database).await;
    let id = begin(&fixture, false).await;
    fixture.clock.advance(TimeDelta::milliseconds(250));
    for (status, result) in [(ToolCallStatus::Succeeded, "first\0"), (ToolCallStatus::Failed, "second")] {
        let tx = fixture.db.write(&fixture.scope).await.unwrap();
        let end = ToolCallOutcome { status, result: Some(result.to_owned()), error: None };
        fixture.conversation.tools.0.gateway.finish_tool_call(&tx, id, end).await.unwrap();
        tx.commit().await.unwrap();
    }
    let row = fixture.conversation.tools.0.gateway.get_tool_call(&fixture.scope, id).await.unwrap();
    assert_eq!((row.status, row.result.as_deref()), (ToolCallStatus::Succeeded, Some("first\u{fffd}")));
    assert_eq!((row.duration_ms, row.tool_name.as_str()), (Some(250), "f\u{fffd}"));
    assert_eq!(row.tool_args.len(), 64 << 10, "longer arguments are truncated");
}

async fn the_calls_of_a_session_are_deleted_in_batches(database: Database) {
    let fixture = Fixture::new(database).await;
    for _ in 0..5 {
        begin(&fixture, false).await;
    }
    let mut deleted = Vec::new();
    for _ in 0..3 {
        let tx = fixture.db.write(&fixture.scope).await.unwrap();
        deleted.push(
            fixture.conversation.tools.0.gateway.delete_tool_calls(&tx, fixture.session, 3).await.unwrap(),
        );
        tx.commit().await.unwrap();
    }
    assert_eq!(deleted, [3, 2, 0]);
}

async fn a_result_is_accepted_only_for_a_pending_call(database: Database) {
    let fixture = Fixture::new(database).await;
    let tx = fixture.db.write(&fixture.scope).await.unwrap();
    let session = access::get(&tx, fixture.session).await.unwrap();
    for call_id in ["c1", "c2"] {
        fixture
            .conversation
            .tools
            .record_client_call(&tx, &session, "f", invocation(&fixture, call_id))
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let send = async |results: &[(&str, &str)]| {
        let results: Vec<ClientResult<'_>> = results
            .iter()
            .map(|(call_id, content)| ClientResult { call_id, content, is_error: false })
            .collect();
        let tx = fixture.db.write(&fixture.scope).await.unwrap();
        fixture.conversation.tools.record_client_results(&tx, &session, &results).await?;
        tx.commit().await
    };
    let error = send(&[("c1", "one"), ("unknown", "x")]).await.unwrap_err();
    assert_eq!(error.param(), Some("[1].tool_call_id"));
    send(&[("c1", "one")]).await.unwrap();
    assert!(send(&[("c1", "again")]).await.is_err(), "it is not pending any more");
    let gateway = &fixture.conversation.tools.0.gateway;
    let rows = async |status| {
        let filter = ToolCallFilter { status: Some(status), ..ToolCallFilter::default() };
        gateway.list_tool_calls(&fixture.scope, filter, &PageQuery::default()).await.unwrap().data
    };
    assert_eq!(rows(ToolCallStatus::Waiting).await[0].call_id, "c2");
    let done = &rows(ToolCallStatus::Succeeded).await[0];
    assert_eq!(status(&fixture, done.id).await.1.as_deref(), Some("one"), "a refused batch changed nothing");
}
