//! Summaries of the beginning of a conversation, used when it does not fit into the context window.

use std::collections::HashMap;

use loam_db::Tx;
use loam_kernel::{ChatSessionId, LlmCallId, MessageId, Result, SessionSummaryId, TenantId};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

/// Maximum number of summaries of a session to read; the newest.
const MAX_SUMMARIES: u64 = 32;

/// A summary.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "session_summaries", comment = "summaries of the beginning of conversations")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The summary.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionSummaryId,
    /// Session ID.
    #[sea_orm(comment = "session ID")]
    pub session_id: ChatSessionId,
    /// The last message that it covers.
    #[sea_orm(comment = "ID of the last message that it covers; it covers the path up to that message")]
    pub up_to_id: MessageId,
    /// The sequence number of that message.
    #[sea_orm(comment = "sequence_number of that message")]
    pub up_to_number: i64,
    /// Text of the summary.
    #[sea_orm(column_type = "Text", comment = "text of the summary")]
    pub content: String,
    /// Model that wrote it.
    #[sea_orm(column_type = "Text", comment = "route or `provider/model` that wrote it")]
    pub model: String,
    /// ID of the model call that produced it.
    #[sea_orm(comment = "ID of the model call that produced it")]
    pub llm_call_id: Option<LlmCallId>,
    /// When it was written.
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);

/// The summaries of a session, by the last message that each covers.
pub(super) async fn of_session<R>(tx: &Tx<R>, session: ChatSessionId) -> Result<HashMap<MessageId, Model>> {
    let find = tx.find::<Entity>().filter(Column::SessionId.eq(session));
    let rows = find.order_by_desc(Column::Id).limit(MAX_SUMMARIES).all().await?;
    Ok(rows.into_iter().map(|row| (row.up_to_id, row)).collect())
}

/// Deletes the summaries that may cover a message whose content was changed or deleted.
pub(crate) async fn delete_covering<R>(tx: &Tx<R>, session: ChatSessionId, number: i64) -> Result<()> {
    let covering = tx.delete::<Entity>().filter(Column::SessionId.eq(session));
    covering.filter(Column::UpToNumber.gte(number)).exec().await?;
    Ok(())
}
