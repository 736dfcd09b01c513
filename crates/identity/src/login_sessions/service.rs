//! The rules of login sessions.

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{Tenant, Tx};
use loam_kernel::{LoginSessionId, Page, PageQuery, Result, Scope, UserId};
use loam_platform::changes::Audited;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::entity::{Column, Entity, Model};
use crate::{Identity, operator_access};

/// How long an ended session stays listed.
const KEEP: TimeDelta = TimeDelta::days(30);

/// Filters for login sessions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LoginSessionFilter {
    /// Only sessions of this user.
    pub user_id: Option<UserId>,
}

impl Identity {
    /// Lists the tenant's login sessions, newest first, including those that ended in the last 30 days.
    pub async fn list_login_sessions(
        &self,
        scope: &Scope,
        filter: &LoginSessionFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(user) = filter.user_id {
            find = find.filter(Column::UserId.eq(user));
        }
        find.page(page, |row| row.id.0).await
    }

    /// Ends a session: its cookie is invalid on all nodes within a second.
    pub async fn revoke_login_session(&self, scope: &Scope, id: LoginSessionId) -> Result<()> {
        let tx = self.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        if old.revoked_at.is_some() {
            return Ok(());
        }
        let now = self.clock.now();
        let mut row = old.into_active_model();
        row.revoked_at = Set(Some(now));
        self.changes.save(&tx, row).await?;
        let notice =
            self.changes.record(&tx, "revoke", "login_sessions", id, json!({ "revoked_at": now })).await?;
        self.changes.commit(tx, notice).await
    }

    /// Deletes old ended sessions, and old markers of audited operator access.
    pub(crate) async fn delete_old_sessions(&self, scope: &Scope) -> Result<()> {
        let now = self.clock.now();
        let tx = self.db.system_write(scope).await?;
        tx.delete_any::<Entity>().filter(Column::ExpiresAt.lt(now - KEEP)).exec().await?;
        let old = operator_access::entity::Column::CreatedAt.lt(now - TimeDelta::days(1));
        tx.delete_any::<operator_access::entity::Entity>().filter(old).exec().await?;
        tx.commit().await
    }
}

/// Ends all sessions of a user but one, in the caller's transaction. The caller announces a change of the user, which
/// invalidates the cached sessions.
pub(crate) async fn revoke_all(
    tx: &Tx<Tenant>,
    user: UserId,
    but: Option<LoginSessionId>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut update = tx
        .update_many::<Entity>()
        .set(Column::RevokedAt, now)
        .set(Column::UpdatedAt, now)
        .filter(Column::UserId.eq(user))
        .filter(Column::RevokedAt.is_null());
    if let Some(but) = but {
        update = update.filter(Column::Id.ne(but));
    }
    update.exec().await
}

impl Audited for Entity {
    const NAME: &'static str = "log-in session";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({ "user_id": row.user_id, "expires_at": row.expires_at })
    }
}
