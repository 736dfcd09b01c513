//! A turn.

use loam_kernel::{ChatSessionId, LlmCallId, MessageId, NodeId, TenantId, TurnId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum TurnState {
    /// It waits for the turns before it.
    Queued,
    /// The model answers.
    Running,
    /// The model asked for tools that the client has to use.
    RequiresAction,
    /// It has its answer.
    Completed,
    /// Somebody stopped it; what had come is kept.
    Stopped,
    /// The server died or was stopped meanwhile; what had come is kept.
    Interrupted,
    /// The provider failed; what had come is kept.
    Failed,
}

/// A turn.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "turns", comment = "a question and its answer")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The turn.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TurnId,
    /// In which session.
    #[sea_orm(comment = "the conversation")]
    pub session_id: ChatSessionId,
    /// The turn that it goes on from.
    #[sea_orm(comment = "turn that it goes on from; another one's too where the conversation branches")]
    pub parent_turn_id: Option<TurnId>,
    /// The message that it goes on from.
    #[sea_orm(comment = "message that it goes on from")]
    pub parent_id: Option<MessageId>,
    /// The question.
    #[sea_orm(comment = "the question")]
    pub user_message_id: Option<MessageId>,
    /// The answer.
    #[sea_orm(comment = "the answer, its last message")]
    pub assistant_message_id: Option<MessageId>,
    /// How far it has come.
    #[sea_orm(comment = "queued, running, requires_action, completed, stopped, interrupted, failed")]
    pub state: TurnState,
    /// Which model was asked.
    #[sea_orm(column_type = "Text", nullable, comment = "route or `provider/model` that was asked")]
    pub model: Option<String>,
    /// What was asked for.
    #[sea_orm(column_type = "JsonBinary", comment = "what the client asked for")]
    pub input: Json,
    /// What its stream said.
    #[sea_orm(column_type = "Blob", nullable, comment = "events of its stream, packed; once it has ended")]
    pub events: Option<Vec<u8>>,
    /// When its stream was deleted.
    #[sea_orm(comment = "when its stream was deleted; null while it is there")]
    pub events_deleted_at: Option<DateTimeUtc>,
    /// The call that gave the answer.
    #[sea_orm(comment = "the last model call of it")]
    pub llm_call_id: Option<LlmCallId>,
    /// The node that runs it.
    #[sea_orm(comment = "the node that runs it")]
    pub node_id: NodeId,
    /// What went wrong.
    #[sea_orm(column_type = "Text", nullable, comment = "what went wrong")]
    pub error: Option<String>,
    /// Whether somebody wants it stopped.
    #[sea_orm(comment = "whether somebody wants it stopped")]
    pub stop_requested: bool,
    /// Until when its node holds it.
    #[sea_orm(comment = "until when its node holds it")]
    pub lease_until: Option<DateTimeUtc>,
    /// When it began.
    #[sea_orm(comment = "when it was its turn")]
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    #[sea_orm(comment = "when it had its end")]
    pub ended_at: Option<DateTimeUtc>,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// When it was changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);

impl TurnState {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::RequiresAction => "requires_action",
            Self::Completed => "completed",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}
