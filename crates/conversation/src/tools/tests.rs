//! Declaring tools and recording their use, over real SQL.

use chrono::TimeDelta;
use loam_gateway::tool_calls::entity::ToolCallStatus;
use loam_gateway::tool_calls::routes::ToolCallFilter;
use loam_gateway::tool_calls::{NewToolCall, ToolCallOutcome};
use loam_http::surface::IfMatch;
use loam_kernel::{PageQuery, ToolCallId};
use loam_testkit::{Database, on_both};
use serde_json::{Value, json};

use super::{ClientResult, ToolDeclaration, ToolUse, declared, masked};
use crate::chat_sessions::access;
use crate::exchanges::tests::Bed;

on_both![
    what_is_declared_is_what_a_model_is_told,
    a_use_whose_server_died_ends_as_failed,
    a_use_ends_once,
    the_uses_of_a_session_are_deleted_in_batches,
    a_result_is_taken_for_a_use_that_waits_alone,
];

fn tools(json: Value) -> Vec<ToolDeclaration> {
    serde_json::from_value(json).unwrap()
}

fn usage(bed: &Bed, call_id: &str) -> ToolUse {
    ToolUse {
        session: bed.session,
        turn: None,
        message: None,
        llm_call: None,
        call_id: call_id.to_owned(),
        arguments: "{}".to_owned(),
    }
}

async fn begin(bed: &Bed, run_by_client: bool) -> ToolCallId {
    let new = NewToolCall {
        session: bed.session,
        user: None,
        turn: None,
        message: None,
        llm_call: None,
        call_id: "c".to_owned(),
        tool: "f\0".to_owned(),
        arguments: "ä".repeat(100_000),
        run_by_client,
    };
    let tx = bed.db.write(&bed.scope).await.unwrap();
    let id = bed.conversation.0.gateway.record_tool_call(&tx, new).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn status(bed: &Bed, id: ToolCallId) -> (ToolCallStatus, Option<String>) {
    let row = bed.conversation.0.gateway.get_tool_call(&bed.scope, id).await.unwrap();
    (row.status, row.result.or(row.error_message))
}

async fn what_is_declared_is_what_a_model_is_told(database: Database) {
    let bed = Bed::new(database).await;
    let function =
        json!({"name": "f", "description": "does", "parameters": {"type": "object"}, "strict": true});
    let new = tools(json!([
        {"function": function},
        {"type": "function", "function": {"name": "g"},
            "execution": {"kind": "http", "url": "http://192.0.32.8/", "headers": {"x-key": "the-secret-of-g"}}}
    ]));
    let any = IfMatch::any();
    let declare = bed.conversation.declare_tools(&bed.scope, bed.session, new, &any);
    assert!(!declare.await.unwrap().value.to_string().contains("the-secret"));
    let tx = bed.db.read(&bed.scope).await.unwrap();
    let session = access::get(&tx, bed.session).await.unwrap();
    let all = declared(&tx, &session).await.unwrap();
    assert_eq!(all[0].wire(), json!({"type": "function", "function": function}));
    assert_eq!(
        all.iter().map(|tool| (tool.name(), tool.runs_here())).collect::<Vec<_>>(),
        [("f", false), ("g", true)]
    );
    let row = bed.conversation.list_tools(&bed.scope, bed.session).await.unwrap().unwrap();
    let unreadable = masked(crate::session_configs::entity::Model { value: json!([{"secret": "s"}]), ..row });
    assert_eq!(unreadable.value, json!([]), "what can't be read is not shown");
}

async fn a_use_whose_server_died_ends_as_failed(database: Database) {
    let bed = Bed::new(database).await;
    let (lost, waiting) = (begin(&bed, false).await, begin(&bed, true).await);
    bed.clock.advance(TimeDelta::minutes(61));
    let running = begin(&bed, false).await;
    assert_eq!(bed.conversation.0.gateway.fail_lost_tool_calls().await.unwrap(), 1);
    let (state, why) = status(&bed, lost).await;
    assert!(state == ToolCallStatus::Failed && why.unwrap().contains("died"));
    assert_eq!(status(&bed, waiting).await.0, ToolCallStatus::Waiting);
    assert_eq!(status(&bed, running).await.0, ToolCallStatus::Running);
    assert_eq!(bed.conversation.0.gateway.fail_lost_tool_calls().await.unwrap(), 0);
}

async fn a_use_ends_once(database: Database) {
    let bed = Bed::new(database).await;
    let id = begin(&bed, false).await;
    bed.clock.advance(TimeDelta::milliseconds(250));
    for (status, result) in [(ToolCallStatus::Succeeded, "first\0"), (ToolCallStatus::Failed, "second")] {
        let tx = bed.db.write(&bed.scope).await.unwrap();
        let end = ToolCallOutcome { status, result: Some(result.to_owned()), error: None };
        bed.conversation.0.gateway.finish_tool_call(&tx, id, end).await.unwrap();
        tx.commit().await.unwrap();
    }
    let row = bed.conversation.0.gateway.get_tool_call(&bed.scope, id).await.unwrap();
    assert_eq!((row.status, row.result.as_deref()), (ToolCallStatus::Succeeded, Some("first\u{fffd}")));
    assert_eq!((row.duration_ms, row.tool_name.as_str()), (Some(250), "f\u{fffd}"));
    assert_eq!(row.tool_args.len(), 64 << 10, "what is longer is cut");
}

async fn the_uses_of_a_session_are_deleted_in_batches(database: Database) {
    let bed = Bed::new(database).await;
    for _ in 0..5 {
        begin(&bed, false).await;
    }
    let mut deleted = Vec::new();
    for _ in 0..3 {
        let tx = bed.db.write(&bed.scope).await.unwrap();
        deleted.push(bed.conversation.0.gateway.delete_tool_calls(&tx, bed.session, 3).await.unwrap());
        tx.commit().await.unwrap();
    }
    assert_eq!(deleted, [3, 2, 0]);
}

async fn a_result_is_taken_for_a_use_that_waits_alone(database: Database) {
    let bed = Bed::new(database).await;
    let tx = bed.db.write(&bed.scope).await.unwrap();
    let session = access::get(&tx, bed.session).await.unwrap();
    for call_id in ["c1", "c2"] {
        bed.conversation.record_waiting(&tx, &session, "f", usage(&bed, call_id)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let send = async |results: &[(&str, &str)]| {
        let results: Vec<ClientResult<'_>> = results
            .iter()
            .map(|(call_id, content)| ClientResult { call_id, content, is_error: false })
            .collect();
        let tx = bed.db.write(&bed.scope).await.unwrap();
        bed.conversation.record_client_results(&tx, &session, &results).await?;
        tx.commit().await
    };
    let error = send(&[("c1", "one"), ("unknown", "x")]).await.unwrap_err();
    assert_eq!(error.param(), Some("[1].tool_call_id"));
    send(&[("c1", "one")]).await.unwrap();
    assert!(send(&[("c1", "again")]).await.is_err(), "it doesn't wait any more");
    let gateway = &bed.conversation.0.gateway;
    let rows = async |status| {
        let filter = ToolCallFilter { status: Some(status), ..ToolCallFilter::default() };
        gateway.list_tool_calls(&bed.scope, filter, &PageQuery::default()).await.unwrap().data
    };
    assert_eq!(rows(ToolCallStatus::Waiting).await[0].call_id, "c2");
    let done = &rows(ToolCallStatus::Succeeded).await[0];
    assert_eq!(status(&bed, done.id).await.1.as_deref(), Some("one"), "a refused batch changed nothing");
}
