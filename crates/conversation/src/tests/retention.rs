//! Old data is deleted according to the retention of tenant and project; usage figures are kept.

use chrono::TimeDelta;
use loam_gateway::llm_calls::entity::{CallState, Column, Entity, Model};
use loam_gateway::llm_calls::{DeleteOldCalls, Deleted, ImportedCall, Source, insert_imported};
use loam_kernel::{LlmCallId, NodeId, ProjectId, Scope, TenantId};
use loam_platform::pack::pack;
use loam_platform::records::RetentionSettings;
use loam_platform::system_config::LiveConfig;
use loam_testkit::{Database, on_both};
use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder};
use serde_json::json;
use uuid::Uuid;

use super::fixture::Fixture;
use crate::turns::entity as turns;
use crate::turns::retention::DeleteOldEvents;

on_both![bodies_are_deleted_before_calls_and_figures_are_kept, streams_of_old_turns_are_deleted];

const PROJECT: ProjectId = ProjectId(Uuid::from_u128(0x9));

fn system() -> Scope {
    Scope::system(TenantId::NIL, "test")
}

fn settings(value: serde_json::Value) -> RetentionSettings {
    serde_json::from_value(value).unwrap()
}

/// Writes a call of this age in days.
async fn call(fixture: &Fixture, days: i64, project: Option<ProjectId>) {
    let at = fixture.clock.now() - TimeDelta::days(days);
    fixture.database.db.ensure_months(&system(), "llm_calls", at, at).await.unwrap();
    let id = LlmCallId(loam_kernel::first_id_at(at));
    let id = LlmCallId(Uuid::from_u128(id.0.as_u128() + u128::from(project.is_some())));
    let made = ImportedCall {
        id,
        at,
        state: CallState::Settled,
        provider: "p".to_owned(),
        model: "m".to_owned(),
        session: None,
        user: None,
        end_user: None,
        project,
        streamed: false,
        status: Some(200),
        error: None,
        usage: None,
        cost_nano_usd: Some(7),
        latency_us: None,
        first_token_us: None,
        source: Source::Gateway,
        endpoint: "chat/completions".to_owned(),
        trace_id: None,
        span_id: None,
        response_id: None,
        links: None,
        request: Some(pack(&["a question"], false, 1000)),
        response: Some(pack(&["an answer"], false, 1000)),
    };
    let tx = fixture.database.db.system_write(&system()).await.unwrap();
    insert_imported(&tx, fixture.scope().tenant(), NodeId(Uuid::nil()), fixture.clock.now(), vec![made])
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// For each call, newest first, whether it has its bodies.
async fn calls(fixture: &Fixture) -> Vec<bool> {
    let tx = fixture.database.db.read(&fixture.scope()).await.unwrap();
    let rows: Vec<Model> = tx.find::<Entity>().order_by_desc(Column::Id).all().await.unwrap();
    let has = |row: &Model| {
        assert_eq!(row.cost_nano_usd, Some(7), "figures are kept");
        assert_eq!(row.request_data.is_some(), row.response_data.is_some());
        assert_eq!(row.request_data.is_none(), row.bodies_deleted_at.is_some(), "bodies_deleted_at is set");
        row.request_data.is_some()
    };
    rows.iter().map(has).collect()
}

async fn bodies_are_deleted_before_calls_and_figures_are_kept(database: Database) {
    let fixture = Fixture::new(database).await;
    for days in [1, 20, 40] {
        call(&fixture, days, None).await;
        call(&fixture, days, Some(PROJECT)).await;
    }
    let tenant = settings(json!({
        "llm_call_bodies_days": 10, "llm_calls_days": 30,
        "projects": { (PROJECT.to_string()): { "llm_calls_days": null, "llm_call_bodies_days": 30 } }
    }));
    let gateway = fixture.conversation.tools.0.gateway.clone();
    let job = DeleteOldCalls::new(gateway.clone());
    let none = Deleted::default();
    assert_eq!(job.sweep(&system(), || false).await.unwrap(), none, "kept forever by default");
    gateway.retain(LiveConfig::fixed_with(
        RetentionSettings::default(),
        vec![(fixture.scope().tenant(), tenant)],
    ));
    assert_eq!(job.sweep(&system(), || true).await.unwrap(), none, "stopped");
    let deleted = job.sweep(&system(), || false).await.unwrap();
    assert_eq!(deleted, Deleted { bodies: 2, calls: 1, tool_calls: 0 });
    // Of each day, the project's call first: of today both whole, of 20 days ago the project's, of 40 days
    // ago only the project's row.
    assert_eq!(calls(&fixture).await, [true, true, true, false, false]);
    assert_eq!(job.sweep(&system(), || false).await.unwrap(), none, "deleted only once");

    fixture.clock.advance(TimeDelta::days(15));
    let deleted = job.sweep(&system(), || false).await.unwrap();
    assert_eq!(deleted, Deleted { bodies: 2, calls: 1, tool_calls: 0 });
    assert_eq!(calls(&fixture).await, [true, false, false, false]);
}

async fn streams_of_old_turns_are_deleted(database: Database) {
    let fixture = Fixture::new(database).await;
    let session = fixture.session(None).await;
    let now = fixture.clock.now();
    for (n, ended) in [Some(now - TimeDelta::days(9)), Some(now), None].into_iter().enumerate() {
        let at = now - TimeDelta::days(9);
        let turn = turns::Model {
            tenant_id: fixture.scope().tenant(),
            id: loam_kernel::TurnId(Uuid::from_u128(loam_kernel::first_id_at(at).as_u128() + n as u128)),
            session_id: session.id,
            parent_turn_id: None,
            parent_id: None,
            user_message_id: None,
            assistant_message_id: None,
            state: if ended.is_some() {
                turns::TurnState::Completed
            } else {
                turns::TurnState::RequiresAction
            },
            model: None,
            input: json!({}).into(),
            events: Some(vec![1, 2, 3]),
            events_deleted_at: None,
            llm_call_id: None,
            node_id: NodeId(Uuid::nil()),
            error: None,
            stop_requested: false,
            lease_until: None,
            started_at: Some(at),
            ended_at: ended,
            created_at: at,
            updated_at: at,
        };
        let tx = fixture.database.db.write(&fixture.scope()).await.unwrap();
        tx.insert(turn.into_active_model().reset_all()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let tools = &fixture.conversation.tools.0;
    let job =
        DeleteOldEvents { db: tools.db.clone(), clock: tools.clock.clone(), gateway: tools.gateway.clone() };
    assert_eq!(job.delete_old(&system(), || false).await.unwrap(), 0);
    fixture
        .conversation
        .tools
        .0
        .gateway
        .retain(LiveConfig::fixed(settings(json!({ "turn_events_days": 7 }))));
    assert_eq!(job.delete_old(&system(), || false).await.unwrap(), 1);
    assert_eq!(job.delete_old(&system(), || false).await.unwrap(), 0, "deleted only once");
    let tx = fixture.database.db.read(&fixture.scope()).await.unwrap();
    let deleted =
        tx.find::<turns::Entity>().filter(turns::Column::EventsDeletedAt.is_not_null()).all().await.unwrap();
    assert_eq!(deleted.len(), 1);
    assert!(deleted[0].events.is_none() && deleted[0].state == turns::TurnState::Completed);
}
