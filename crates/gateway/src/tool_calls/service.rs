//! Writing down uses of tools.

use chrono::TimeDelta;
use loam_db::Tx;
use loam_kernel::{
    ChatSessionId, LlmCallId, MessageId, Result, Scope, TenantId, ToolCallId, TurnId, UserId, first_id_at,
};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};

use super::entity::{ActiveModel, Column, Entity, Model, ToolCallStatus};
use crate::Gateway;

/// Bytes of arguments and of a result that are kept.
pub(super) const MAX_KEPT: usize = 64 << 10;
/// Bytes of an error's text that are kept.
pub(super) const MAX_ERROR: usize = 2 << 10;
/// No use of a tool by Loam takes so long: whoever ran it is dead.
const LOST_AFTER: TimeDelta = TimeDelta::hours(1);
/// How far back those are looked for, so that only a month or two are.
const LOOK_BACK: TimeDelta = TimeDelta::days(30);

/// A use of a tool that begins.
#[derive(Clone, Debug)]
pub struct NewToolCall {
    /// In which conversation.
    pub session: ChatSessionId,
    /// Whose that is.
    pub user: Option<UserId>,
    /// In which turn of it.
    pub turn: Option<TurnId>,
    /// The message that asks for it.
    pub message: Option<MessageId>,
    /// The model call that asks for it.
    pub llm_call: Option<LlmCallId>,
    /// The model's own id of it.
    pub call_id: String,
    /// Name of the tool.
    pub tool: String,
    /// Its arguments as the model wrote them.
    pub arguments: String,
    /// Whether Loam uses it now, or the client has to.
    pub waits: bool,
}

/// How the use of a tool ended.
#[derive(Clone, Debug)]
pub struct ToolEnd {
    /// What is to be kept as its status.
    pub status: ToolCallStatus,
    /// What it gave.
    pub result: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
}

impl ToolEnd {
    /// It gave this.
    pub fn gave(result: impl Into<String>) -> Self {
        Self { status: ToolCallStatus::Succeeded, result: Some(result.into()), error: None }
    }

    /// It gave nothing, for this reason.
    pub fn failed(status: ToolCallStatus, why: impl Into<String>) -> Self {
        Self { status, result: None, error: Some(why.into()) }
    }
}

impl Gateway {
    /// Writes down that a tool is used, or is to be used by the client.
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
            call_id: Set(kept(new.call_id, MAX_KEPT)),
            tool_name: Set(kept(new.tool, MAX_KEPT)),
            tool_args: Set(kept(new.arguments, MAX_KEPT)),
            result: Set(None),
            status: Set(if new.waits { ToolCallStatus::Waiting } else { ToolCallStatus::Running }),
            duration_ms: Set(None),
            error_message: Set(None),
            trace_id: Set(None),
            span_id: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        tx.insert(row).await.map(|row| row.id)
    }

    /// Writes down how the use of a tool ended. One that has ended already stays as it is.
    pub async fn end_tool_call<R>(&self, tx: &Tx<R>, id: ToolCallId, end: ToolEnd) -> Result<()> {
        match tx.get_locked::<Entity>(id).await? {
            Some(row) if row.duration_ms.is_none() => self.end(tx, row, end).await,
            _ => Ok(()),
        }
    }

    /// Writes down what the client's own use of a tool gave; false if the conversation waits for no such use.
    pub async fn answer_tool_call<R>(
        &self,
        tx: &Tx<R>,
        session: ChatSessionId,
        call_id: &str,
        end: ToolEnd,
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

    /// Ends the uses by the client that a turn asked for, when nothing waits for their results any more.
    pub async fn give_up_tool_calls<R>(
        &self,
        tx: &Tx<R>,
        session: ChatSessionId,
        turn: TurnId,
        end: ToolEnd,
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

    /// Deletes uses of tools in a conversation, at most so many; says how many.
    pub async fn delete_tool_calls<R>(&self, tx: &Tx<R>, session: ChatSessionId, max: u64) -> Result<u64> {
        let rows = tx.find::<Entity>().filter(Column::SessionId.eq(session)).limit(max).all().await?;
        let ids: Vec<ToolCallId> = rows.iter().map(|row| row.id).collect();
        tx.delete::<Entity>().filter(Column::Id.is_in(ids)).exec().await
    }

    /// Ends the uses whose server died meanwhile, as failed; says how many.
    pub async fn end_lost_tool_calls(&self) -> Result<u64> {
        let now = self.0.clock.now();
        let scope = Scope::system(TenantId::NIL, "tool_calls");
        let tx = self.0.db.system_write(&scope).await?;
        let ended = tx
            .update_all::<Entity>()
            .set(Column::Status, ToolCallStatus::Failed)
            .set(Column::ErrorMessage, "the server died while this tool was used")
            .set(Column::UpdatedAt, now)
            .filter(Column::Status.eq(ToolCallStatus::Running))
            .filter(Column::Id.lt(first_id_at(now - LOST_AFTER)))
            .filter(Column::Id.gte(first_id_at(now - LOOK_BACK)))
            .exec()
            .await?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn end<R>(&self, tx: &Tx<R>, row: Model, end: ToolEnd) -> Result<()> {
        let now = self.0.clock.now().max(row.created_at);
        let took = (now - row.created_at).num_milliseconds();
        let mut row = row.into_active_model();
        row.status = Set(end.status);
        row.result = Set(end.result.map(|text| kept(text, MAX_KEPT)));
        row.error_message = Set(end.error.map(|text| kept(text, MAX_ERROR)));
        row.duration_ms = Set(Some(took));
        row.updated_at = Set(now);
        tx.update(row).await.map(|_: Model| ())
    }
}

/// As much of a text as is kept. A NUL, which PostgreSQL can't store, becomes the character for what is none.
pub(super) fn kept(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
    }
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}
