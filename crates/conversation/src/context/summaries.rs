//! What the beginning of a conversation came to, for models that have no room for it.

use std::collections::HashMap;

use loam_db::Tx;
use loam_kernel::{ChatSessionId, LlmCallId, MessageId, Result, SessionSummaryId, TenantId};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

/// Summaries of one session that are looked at, the newest.
const MAX: u64 = 32;

/// A summary.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "session_summaries", comment = "what the beginning of a conversation came to")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The summary.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionSummaryId,
    /// Of which session.
    #[sea_orm(comment = "the conversation")]
    pub session_id: ChatSessionId,
    /// The last message that it tells of.
    #[sea_orm(comment = "the last message that it tells of; it tells of those on the way there")]
    pub up_to_id: MessageId,
    /// The number of that message.
    #[sea_orm(comment = "sequence_number of that message")]
    pub up_to_number: i64,
    /// What is told.
    #[sea_orm(column_type = "Text", comment = "what the messages come to")]
    pub content: String,
    /// Who wrote it.
    #[sea_orm(column_type = "Text", comment = "route or `provider/model` that wrote it")]
    pub model: String,
    /// The call that it came from.
    #[sea_orm(comment = "the model call it came from")]
    pub llm_call_id: Option<LlmCallId>,
    /// When it was written.
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);

/// The summaries of a session by the last message that each tells of.
pub(super) async fn of_session<R>(tx: &Tx<R>, session: ChatSessionId) -> Result<HashMap<MessageId, Model>> {
    let find = tx.find::<Entity>().filter(Column::SessionId.eq(session));
    let rows = find.order_by_desc(Column::Id).limit(MAX).all().await?;
    Ok(rows.into_iter().map(|row| (row.up_to_id, row)).collect())
}

/// Forgets the summaries that may tell of a message: what it said is changed or deleted.
pub(crate) async fn forget<R>(tx: &Tx<R>, session: ChatSessionId, number: i64) -> Result<()> {
    let telling = tx.delete::<Entity>().filter(Column::SessionId.eq(session));
    telling.filter(Column::UpToNumber.gte(number)).exec().await?;
    Ok(())
}
