//! Records tool calls.

use chrono::TimeDelta;
use loam_db::Tx;
use loam_kernel::{
    ChatSessionId, LlmCallId, MessageId, Result, Scope, TenantId, ToolCallId, TurnId, UserId, first_id_at,
};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};

use super::entity::{ActiveModel, Column, Entity, Model, ToolCallStatus};
use crate::Gateway;

/// Maximum bytes stored of arguments and of a result.
pub(super) const MAX_STORED: usize = 64 << 10;
/// Maximum bytes stored of an error message.
pub(super) const MAX_ERROR: usize = 2 << 10;
/// No tool call by Loam takes so long: its server has died.
const LOST_AFTER: TimeDelta = TimeDelta::hours(1);
/// How far back such calls are searched, to limit the search to one or two months.
const LOOK_BACK: TimeDelta = TimeDelta::days(30);

/// A tool call that starts.
#[derive(Clone, Debug)]
pub struct NewToolCall {
    /// The conversation.
    pub session: ChatSessionId,
    /// The user of the conversation.
    pub user: Option<UserId>,
    /// The turn.
    pub turn: Option<TurnId>,
    /// The message that requests it.
    pub message: Option<MessageId>,
    /// The model call that requests it.
    pub llm_call: Option<LlmCallId>,
    /// The model's id of the tool call.
    pub call_id: String,
    /// Name of the tool.
    pub tool: String,
    /// Its arguments as the model wrote them.
    pub arguments: String,
    /// Whether the client runs it, rather than Loam.
    pub run_by_client: bool,
}

/// How a tool call ended.
#[derive(Clone, Debug)]
pub struct ToolCallOutcome {
    /// Its final status.
    pub status: ToolCallStatus,
    /// Its result.
    pub result: Option<String>,
    /// Its error.
    pub error: Option<String>,
}

impl ToolCallOutcome {
    /// A success with this result.
    pub fn succeeded(result: impl Into<String>) -> Self {
        Self { status: ToolCallStatus::Succeeded, result: Some(result.into()), error: None }
    }

    /// A failure for this reason.
    pub fn failed(status: ToolCallStatus, why: impl Into<String>) -> Self {
        Self { status, result: None, error: Some(why.into()) }
    }
}

impl Gateway {
    /// Records a tool call that starts, or that the client is to run.
    pub async fn record_tool_call<R>(&self, tx: &Tx<R>, new: NewToolCall) -> Result<ToolCallId> {
        let now = self.0.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(ToolCallId(self.0.clock.id_at(now))),
            session_id: Set(Some(new.session)),
            turn_id: Set(new.turn),
            message_id: Set(new.message),
            llm_call_id: Set(new.llm_call),
            user_id: Set(new.user),
            call_id: Set(truncated(new.call_id, MAX_STORED)),
            tool_name: Set(truncated(new.tool, MAX_STORED)),
            tool_args: Set(truncated(new.arguments, MAX_STORED)),
            result: Set(None),
            status: Set(if new.run_by_client { ToolCallStatus::Waiting } else { ToolCallStatus::Running }),
            duration_ms: Set(None),
            error_message: Set(None),
            trace_id: Set(None),
            span_id: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        tx.insert(row).await.map(|row| row.id)
    }

    /// Records how a tool call ended. One that has ended already stays as it is.
    pub async fn finish_tool_call<R>(&self, tx: &Tx<R>, id: ToolCallId, end: ToolCallOutcome) -> Result<()> {
        match tx.get_locked::<Entity>(id).await? {
            Some(row) if row.duration_ms.is_none() => self.end(tx, row, end).await,
            _ => Ok(()),
        }
    }

    /// Records the result of a tool call that the client ran; false if the conversation waits for no such call.
    pub async fn submit_tool_result<R>(
        &self,
        tx: &Tx<R>,
        session: ChatSessionId,
        call_id: &str,
        end: ToolCallOutcome,
    ) -> Result<bool> {
        let waiting = tx
            .find::<Entity>()
            .filter(Column::SessionId.eq(session))
            .filter(Column::CallId.eq(call_id))
            .filter(Column::Status.eq(ToolCallStatus::Waiting))
            .order_by_desc(Column::Id)
            .limit(1);
        let Some(row) = waiting.locked().one().await? else { return Ok(false) };
        self.end(tx, row, end).await?;
        Ok(true)
    }

    /// Ends the client's tool calls that a turn requested, when nothing waits for their results any more.
    pub async fn abandon_tool_calls<R>(
        &self,
        tx: &Tx<R>,
        session: ChatSessionId,
        turn: TurnId,
        end: ToolCallOutcome,
    ) -> Result<()> {
        let open = tx
            .find::<Entity>()
            .filter(Column::SessionId.eq(session))
            .filter(Column::TurnId.eq(turn))
            .filter(Column::Status.eq(ToolCallStatus::Waiting));
        for row in open.locked().all().await? {
            self.end(tx, row, end.clone()).await?;
        }
        Ok(())
    }

    /// Deletes at most `max` tool calls of a conversation; returns their number.
    pub async fn delete_tool_calls<R>(&self, tx: &Tx<R>, session: ChatSessionId, max: u64) -> Result<u64> {
        let rows = tx.find::<Entity>().filter(Column::SessionId.eq(session)).limit(max).all().await?;
        let ids: Vec<ToolCallId> = rows.iter().map(|row| row.id).collect();
        tx.delete::<Entity>().filter(Column::Id.is_in(ids)).exec().await
    }

    /// Fails the tool calls whose server died; returns their number.
    pub async fn fail_lost_tool_calls(&self) -> Result<u64> {
        let now = self.0.clock.now();
        let scope = Scope::system(TenantId::NIL, "tool_calls");
        let tx = self.0.db.system_write(&scope).await?;
        let ended = tx
            .update_all::<Entity>()
            .set(Column::Status, ToolCallStatus::Failed)
            .set(Column::ErrorMessage, "the server died while this tool was running")
            .set(Column::UpdatedAt, now)
            .filter(Column::Status.eq(ToolCallStatus::Running))
            .filter(Column::Id.lt(first_id_at(now - LOST_AFTER)))
            .filter(Column::Id.gte(first_id_at(now - LOOK_BACK)))
            .exec()
            .await?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn end<R>(&self, tx: &Tx<R>, row: Model, end: ToolCallOutcome) -> Result<()> {
        let now = self.0.clock.now().max(row.created_at);
        let took = (now - row.created_at).num_milliseconds();
        let mut row = row.into_active_model();
        row.status = Set(end.status);
        row.result = Set(end.result.map(|text| truncated(text, MAX_STORED)));
        row.error_message = Set(end.error.map(|text| truncated(text, MAX_ERROR)));
        row.duration_ms = Set(Some(took));
        row.updated_at = Set(now);
        tx.update(row).await.map(|_: Model| ())
    }
}

/// Truncates a text. NUL, which PostgreSQL can't store, becomes U+FFFD.
pub(super) fn truncated(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
    }
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}
