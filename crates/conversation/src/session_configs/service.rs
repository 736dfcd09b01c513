//! Rules for session settings.

use std::collections::BTreeMap;

use loam_db::Tx;
use loam_kernel::{ChatSessionId, Error, ExpectedVersion, Kind, Page, PageQuery, Result, Scope, TenantId};
use loam_platform::changes::{Audited, check_version};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::entity::{ActiveModel, Column, Entity, Model};
use super::keys;
use crate::chat_sessions::access;
use crate::chat_sessions::update::get_active;
use crate::session_configs::SessionConfigs;
use crate::tools;

/// Maximum number of settings of a session.
const MAX_SETTINGS: usize = 100;

/// A new value for a setting.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionConfigSet {
    /// The value, as the schema of the key requires. For keys of your own: any JSON except null, at most 64
    /// kB.
    pub value: Value,
}

impl SessionConfigs {
    /// The settings of a session, newest first.
    pub async fn list_settings(
        &self,
        scope: &Scope,
        session: ChatSessionId,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        access::get(&tx, session).await?;
        let page =
            tx.find::<Entity>().filter(Column::SessionId.eq(session)).page(page, |row| row.id.0).await?;
        Ok(page.map(tools::masked))
    }

    /// A setting.
    pub async fn get_setting(&self, scope: &Scope, session: ChatSessionId, key: &str) -> Result<Model> {
        let tx = self.0.db.read(scope).await?;
        access::get(&tx, session).await?;
        find(&tx, session, key).await?.map(tools::masked).ok_or_else(Entity::missing)
    }

    /// Creates or replaces a setting.
    pub async fn put_setting(
        &self,
        scope: &Scope,
        session: ChatSessionId,
        key: &str,
        version: &ExpectedVersion,
        new: SessionConfigSet,
    ) -> Result<Model> {
        keys::check(key, &new.value)?;
        let tx = self.0.db.write(scope).await?;
        // The session's row lock makes the read and the write atomic.
        let session = get_active(&tx, session).await?;
        let old = find(&tx, session.id, key).await?;
        check_version::<Entity>(old.as_ref(), version)?;
        let row = match old {
            Some(old) => {
                let mut row = old.into_active_model();
                row.value = Set(new.value.into());
                self.0.changes.save(&tx, row).await?
            }
            None => {
                let count = tx.find::<Entity>().filter(Column::SessionId.eq(session.id)).count().await?;
                check_count(usize::try_from(count).unwrap_or(usize::MAX) + 1)?;
                let now = self.0.clock.now();
                let row = ActiveModel {
                    tenant_id: Set(TenantId::NIL),
                    id: Set(self.0.clock.id()),
                    session_id: Set(session.id),
                    key: Set(key.to_owned()),
                    value: Set(new.value.into()),
                    created_at: Set(now),
                    updated_at: Set(now),
                };
                tx.insert(row).await?
            }
        };
        let notice = self.0.changes.record_row::<Entity>(&tx, "set", &row).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Deletes a setting, so that its default applies again.
    pub async fn delete_setting(&self, scope: &Scope, session: ChatSessionId, key: &str) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let session = get_active(&tx, session).await?;
        let old = find(&tx, session.id, key).await?.ok_or_else(Entity::missing)?;
        self.0.changes.delete::<Entity>(tx, old.id).await
    }
}

/// Rejects a count above the maximum number of settings.
pub(crate) fn check_count(count: usize) -> Result<()> {
    if count <= MAX_SETTINGS {
        return Ok(());
    }
    let message = format!("a session has at most {MAX_SETTINGS} settings; delete one first");
    Err(Error::new(Kind::Conflict, "too_many_settings", message))
}

/// The settings of a session by key, without its tools: those hold secrets and are read by
/// [`tools::declared`].
pub(crate) async fn settings<R>(tx: &Tx<R>, session: ChatSessionId) -> Result<BTreeMap<String, Value>> {
    let others = Column::Key.ne(tools::KEY);
    let rows = tx.find::<Entity>().filter(Column::SessionId.eq(session)).filter(others).all().await?;
    Ok(rows.into_iter().map(|row| (row.key, row.value.0)).collect())
}

async fn find<R>(tx: &Tx<R>, session: ChatSessionId, key: &str) -> Result<Option<Model>> {
    keys::check_name(key)?;
    tx.find::<Entity>().filter(Column::SessionId.eq(session)).filter(Column::Key.eq(key)).one().await
}

impl Audited for Entity {
    const NAME: &'static str = "setting";
    const UPDATED_AT: Column = Column::UpdatedAt;

    /// Without the value: it is the caller's data.
    fn view(row: &Model) -> Value {
        json!({ "session_id": row.session_id, "key": row.key })
    }

    fn missing() -> Error {
        Error::new(Kind::NotFound, "not_found", "this session has no setting with this key")
    }
}
