//! A turn.

use loam_db::OrderedJson;
use loam_kernel::{ChatSessionId, LlmCallId, MessageId, NodeId, TenantId, TurnId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// State of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum TurnState {
    /// It waits for earlier turns of the session.
    Queued,
    /// The model answers.
    Running,
    /// The client has to execute tool calls.
    RequiresAction,
    /// The answer is complete.
    Completed,
    /// It was stopped; partial output is kept.
    Stopped,
    /// The server stopped or crashed; partial output is kept.
    Interrupted,
    /// The model call failed; partial output is kept.
    Failed,
}

/// A turn.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "turns", comment = "turns: a question and its answer")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The turn.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TurnId,
    /// Session ID.
    #[sea_orm(comment = "session ID")]
    pub session_id: ChatSessionId,
    /// ID of the turn that it follows.
    #[sea_orm(
        comment = "ID of the turn that it follows; several turns follow the same one where the conversation branches"
    )]
    pub parent_turn_id: Option<TurnId>,
    /// ID of the message that it follows.
    #[sea_orm(comment = "ID of the message that it follows")]
    pub parent_id: Option<MessageId>,
    /// ID of the question.
    #[sea_orm(comment = "message ID of the question")]
    pub user_message_id: Option<MessageId>,
    /// ID of the answer.
    #[sea_orm(comment = "message ID of the answer: its last message")]
    pub assistant_message_id: Option<MessageId>,
    /// State.
    #[sea_orm(comment = "queued, running, requires_action, completed, stopped, interrupted, failed")]
    pub state: TurnState,
    /// Model that answers.
    #[sea_orm(column_type = "Text", nullable, comment = "route or `provider/model` that answers")]
    pub model: Option<String>,
    /// The client's request.
    #[sea_orm(comment = "the client's request, JSON with its keys as they were sent")]
    pub input: OrderedJson,
    /// Events of its stream.
    #[sea_orm(column_type = "Blob", nullable, comment = "events of its stream, packed")]
    pub events: Option<Vec<u8>>,
    /// When its events were deleted.
    #[sea_orm(comment = "when its events were deleted; null if they were not")]
    pub events_deleted_at: Option<DateTimeUtc>,
    /// ID of the last model call.
    #[sea_orm(comment = "ID of its last model call")]
    pub llm_call_id: Option<LlmCallId>,
    /// ID of the node that runs it.
    #[sea_orm(comment = "ID of the node that runs it")]
    pub node_id: NodeId,
    /// Error.
    #[sea_orm(column_type = "Text", nullable, comment = "error")]
    pub error: Option<String>,
    /// Whether a stop was requested.
    #[sea_orm(comment = "whether a stop was requested")]
    pub stop_requested: bool,
    /// When the lease of its node expires.
    #[sea_orm(
        comment = "when the lease of its node expires; in state requires_action: when its tool calls expire"
    )]
    pub lease_until: Option<DateTimeUtc>,
    /// When it started.
    #[sea_orm(comment = "when it started")]
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    #[sea_orm(comment = "when it ended")]
    pub ended_at: Option<DateTimeUtc>,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);

impl TurnState {
    /// The stored and serialized name.
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
