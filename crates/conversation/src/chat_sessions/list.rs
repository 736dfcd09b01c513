//! Lists of sessions.

use chrono::{DateTime, Utc};
use loam_db::{Find, Tx};
use loam_kernel::{
    AiProviderId, ChannelId, Order, OrderQuery, Page, PageQuery, ProjectId, Result, Scope, UserId,
    field_filter,
};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::Deserialize;
use utoipa::IntoParams;

use super::access;
use super::entity::{Column, Entity, Model, SessionStatus};
use crate::chat_sessions::Sessions;

/// Filter for sessions.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChatSessionFilter {
    /// Only sessions of this user.
    pub user_id: Option<UserId>,
    /// Only sessions of this project.
    pub project_id: Option<ProjectId>,
    /// Only sessions with this provider.
    pub provider_id: Option<AiProviderId>,
    /// Only sessions of this channel.
    pub channel_id: Option<ChannelId>,
    /// Only sessions whose title contains this text, in upper or lower case.
    pub search: Option<String>,
    /// Only the session with this `external_id`.
    pub external_id: Option<String>,
    /// Only sessions with this status.
    pub status: Option<SessionStatus>,
    /// The same as a flag.
    pub is_active: Option<bool>,
    /// Only sessions whose metadata has these fields with these values: a JSON object of strings, numbers,
    /// booleans or null, such as `{"plan":"pro"}`.
    pub metadata: Option<String>,
    /// Only sessions last active at or after this time.
    pub active_after: Option<DateTime<Utc>>,
    /// Only sessions last active before this time.
    pub active_before: Option<DateTime<Utc>>,
    /// Only sessions created at or after this time.
    pub created_after: Option<DateTime<Utc>>,
    /// Only sessions created before this time.
    pub created_before: Option<DateTime<Utc>>,
}

impl ChatSessionFilter {
    /// The user, if the filter has no other condition.
    fn only_user(&self) -> Option<UserId> {
        let Self {
            user_id,
            project_id: None,
            provider_id: None,
            channel_id: None,
            search: None,
            external_id: None,
            status: None,
            is_active: None,
            metadata: None,
            active_after: None,
            active_before: None,
            created_after: None,
            created_before: None,
        } = self
        else {
            return None;
        };
        *user_id
    }

    /// Restricts a query to the filter, and to what the caller may see.
    pub(crate) fn apply<'tx>(&self, scope: &Scope, find: Find<'tx, Entity>) -> Result<Find<'tx, Entity>> {
        let mut find = find.search(&[Column::Title], self.search.as_deref())?;
        for user in [access::own_only(scope), self.user_id].into_iter().flatten() {
            find = find.filter(Column::UserId.eq(user));
        }
        if let Some(project) = self.project_id {
            find = find.filter(Column::ProjectId.eq(project));
        }
        if let Some(provider) = self.provider_id {
            find = find.filter(Column::ProviderId.eq(provider));
        }
        if let Some(channel) = self.channel_id {
            find = find.filter(Column::ChannelId.eq(channel));
        }
        if let Some(external_id) = &self.external_id {
            find = find.filter(Column::ExternalId.eq(external_id));
        }
        // The index is on the flag.
        let status = self.status.map(|status| status == SessionStatus::Active);
        for active in [status, self.is_active].into_iter().flatten() {
            find = find.filter(Column::IsActive.eq(active));
        }
        if let Some(after) = self.active_after {
            find = find.filter(Column::LastActivity.gte(after));
        }
        if let Some(before) = self.active_before {
            find = find.filter(Column::LastActivity.lt(before));
        }
        if let Some(after) = self.created_after {
            find = find.filter(Column::CreatedAt.gte(after));
        }
        if let Some(before) = self.created_before {
            find = find.filter(Column::CreatedAt.lt(before));
        }
        Ok(match &self.metadata {
            Some(text) => find.containing(Column::Metadata, &field_filter("metadata", text)?),
            None => find,
        })
    }
}

impl Sessions {
    /// Sessions that the caller may see, most recently active first.
    pub async fn list_sessions(
        &self,
        scope: &Scope,
        mut filter: ChatSessionFilter,
        page: &PageQuery,
        order: OrderQuery,
    ) -> Result<Page<Model>> {
        let order = order.order.unwrap_or_default();
        // A caller limited to their own sessions always gets a list by user.
        if filter.user_id.is_none() {
            filter.user_id = access::own_only(scope);
        }
        let own = access::own_only(scope);
        match filter.only_user().filter(|user| own.is_none_or(|own| own == *user)) {
            Some(user) if order == Order::Desc && page.cursor.is_none() => {
                let cached = self.0.caches.list(&self.0.db, scope.tenant(), user, page.limit()?).await?;
                match cached {
                    Some(page) => Ok(page),
                    None => read(&self.0.db.read(scope).await?, &filter, page, order).await,
                }
            }
            _ => read(&self.0.db.read(scope).await?, &filter, page, order).await,
        }
    }
}

async fn read<R>(
    tx: &Tx<R>,
    filter: &ChatSessionFilter,
    page: &PageQuery,
    order: Order,
) -> Result<Page<Model>> {
    let find = filter.apply(tx.scope(), tx.find::<Entity>())?;
    find.page_by(page, order, Column::LastActivity, |row| (row.last_activity, row.id.0)).await
}
