//! Declares tools.

use loam_db::Tx;
use loam_kernel::{ChatSessionId, Error, ExpectedVersion, Result, Scope, TenantId};
use loam_platform::changes::{Audited, check_version};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde_json::json;

use super::declaration::{Execution, KEY, ToolDeclaration};
use super::{check, secrets};
use crate::chat_sessions::access;
use crate::chat_sessions::entity::Model as Session;
use crate::chat_sessions::update::get_active;
use crate::session_configs::entity::{ActiveModel, Column, Entity, Model as Setting};
use crate::tools::Tools;

/// The tools of a session.
pub(crate) async fn declared<R>(tx: &Tx<R>, session: &Session) -> Result<Vec<ToolDeclaration>> {
    match setting(tx, session.id).await? {
        Some(row) => read(row),
        None => Ok(Vec::new()),
    }
}

async fn setting<R>(tx: &Tx<R>, session: ChatSessionId) -> Result<Option<Setting>> {
    tx.find::<Entity>().filter(Column::SessionId.eq(session)).filter(Column::Key.eq(KEY)).one().await
}

async fn setting_locked<R>(tx: &Tx<R>, session: ChatSessionId) -> Result<Option<Setting>> {
    let find = tx.find::<Entity>().filter(Column::SessionId.eq(session)).filter(Column::Key.eq(KEY));
    find.locked().one().await
}

fn read(row: Setting) -> Result<Vec<ToolDeclaration>> {
    serde_json::from_value(row.value.0).map_err(Error::internal)
}

impl Tools {
    /// The tools of a session with masked secrets; `None` if none were declared.
    pub(super) async fn list_tools(&self, scope: &Scope, id: ChatSessionId) -> Result<Option<Setting>> {
        let tx = self.0.db.read(scope).await?;
        let session = access::get(&tx, id).await?;
        Ok(setting(&tx, session.id).await?.map(masked))
    }

    /// Declares the tools of a session, replacing the existing ones.
    pub(super) async fn declare_tools(
        &self,
        scope: &Scope,
        id: ChatSessionId,
        mut tools: Vec<ToolDeclaration>,
        version: &ExpectedVersion,
    ) -> Result<Setting> {
        check::all(&self.0.client, scope, &tools)?;
        let tx = self.0.db.write(scope).await?;
        // The session's row lock orders concurrent declarations.
        let session = get_active(&tx, id).await?;
        // The setting's own lock prevents a master key rotation from resealing it meanwhile.
        let old = setting_locked(&tx, session.id).await?;
        check_version::<Entity>(old.as_ref(), version)?;
        let before = old.clone().map(read).transpose()?.unwrap_or_default();
        secrets::seal(&self.0.keyring, &self.0.clock, session.id, &before, &mut tools)?;
        let summary = summary(&tools);
        let value = serde_json::to_value(tools).map_err(Error::internal)?;
        let (row, action) = match old {
            Some(old) => {
                let mut row = old.into_active_model();
                row.value = Set(value.into());
                (self.0.changes.save(&tx, row).await?, "update")
            }
            None => {
                let now = self.0.clock.now();
                let row = ActiveModel {
                    tenant_id: Set(TenantId::NIL),
                    id: Set(self.0.clock.id()),
                    session_id: Set(session.id),
                    key: Set(KEY.to_owned()),
                    value: Set(value.into()),
                    created_at: Set(now),
                    updated_at: Set(now),
                };
                (tx.insert(row).await?, "create")
            }
        };
        let mut changes = Entity::view(&row);
        changes["tools"] = summary.into();
        let notice = self.0.changes.record(&tx, action, "session_configs", row.id, changes).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(masked(row))
    }
}

/// The audited view of tools: their names, and the URLs of those that Loam executes.
fn summary(tools: &[ToolDeclaration]) -> Vec<serde_json::Value> {
    let one = |tool: &ToolDeclaration| match &tool.execution {
        Execution::Client {} => json!({ "name": tool.name(), "execution": "client" }),
        Execution::Http(request) => {
            // The query may contain a key.
            let url = request.url.split('?').next();
            json!({ "name": tool.name(), "execution": "http", "url": url })
        }
    };
    tools.iter().map(one).collect()
}

/// The setting with the secrets of tools masked.
pub(crate) fn masked(row: Setting) -> Setting {
    if row.key != KEY {
        return row;
    }
    // An unreadable value is not shown, because it may contain a secret.
    let tools: Vec<_> = read(row.clone()).unwrap_or_default().into_iter().map(secrets::mask).collect();
    Setting { value: serde_json::to_value(tools).unwrap_or_default().into(), ..row }
}
