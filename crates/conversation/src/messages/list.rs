//! Lists of messages.

use chrono::{DateTime, Utc};
use loam_kernel::{ChatSessionId, MessageId, Order, OrderQuery, Page, PageQuery, Result, Scope, TurnId};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::Deserialize;
use utoipa::IntoParams;

use super::branch;
use super::entity::{Column, Entity, Model, Role};
use super::span::Span;
use crate::chat_sessions::access;
use crate::messages::Messages;

/// Filter for messages.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MessageFilter {
    /// Session ID.
    pub session_id: ChatSessionId,
    /// Only messages of this role.
    pub role: Option<Role>,
    /// Only messages of this turn.
    pub turn_id: Option<TurnId>,
    /// Only messages written at or after this time.
    pub created_after: Option<DateTime<Utc>>,
    /// Only messages written before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Only this message and its ancestors. Can't be combined with other filters.
    pub branch_of: Option<MessageId>,
}

impl MessageFilter {
    /// Whether the filter has other conditions than session and branch.
    fn has_conditions(&self) -> bool {
        let Self { role, turn_id, created_after, created_before, .. } = self;
        role.is_some() || turn_id.is_some() || created_after.is_some() || created_before.is_some()
    }
}

impl Messages {
    /// The messages of a session that the caller may see, by sequence number.
    pub async fn list_messages(
        &self,
        scope: &Scope,
        filter: MessageFilter,
        page: &PageQuery,
        order: OrderQuery,
    ) -> Result<Page<Model>> {
        let order = order.order.unwrap_or_default();
        let plain = filter.branch_of.is_none() && !filter.has_conditions();
        if plain && order == Order::Desc && page.cursor.is_none() {
            let session = self.0.sessions.get_session(scope, filter.session_id).await?;
            if let Some(page) = self.0.caches.newest(&self.0.db, &session, page.limit()?).await? {
                return Ok(page);
            }
        }
        let tx = self.0.db.read(scope).await?;
        // Read in the same transaction, so that no message is later than the session's last message time.
        let session = access::get(&tx, filter.session_id).await?;
        if let Some(leaf) = filter.branch_of {
            branch::require_no_filters(filter.has_conditions())?;
            return branch::page(&tx, &session, leaf, page, order).await;
        }
        let Some(span) = Span::of_session(&session) else {
            return Ok(Page::around(Vec::new(), page.limit()?, None, |row: &Model| (None, row.id.0)));
        };
        let span = span.within(filter.created_after, filter.created_before);
        let mut find =
            tx.find::<Entity>().filter(Column::SessionId.eq(session.id)).within_ids(span.from, span.before);
        if let Some(role) = filter.role {
            find = find.filter(Column::Role.eq(role));
        }
        if let Some(turn) = filter.turn_id {
            find = find.filter(Column::TurnId.eq(turn));
        }
        let at = |row: &Model| (row.sequence_number, row.id.0);
        find.page_by_unique(page, order, Column::SequenceNumber, at).await
    }
}
