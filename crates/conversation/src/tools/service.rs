//! Declaring tools.

use loam_db::Tx;
use loam_http::surface::{IfMatch, etag, next_version};
use loam_kernel::{ChatSessionId, Error, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde_json::json;

use super::declaration::{Execution, ToolDeclaration};
use super::{check, secrets};
use crate::Conversation;
use crate::chat_sessions::access;
use crate::chat_sessions::entity::Model as Session;
use crate::session_configs::entity::{ActiveModel, Column, Entity, Model as Setting};

/// The setting of a session that holds its tools. It is written here alone: it holds secrets.
pub(crate) const KEY: &str = "tools";

/// The tools of a session.
pub(crate) async fn declared<R>(tx: &Tx<R>, session: &Session) -> Result<Vec<ToolDeclaration>> {
    match setting(tx, session.id, false).await? {
        Some(row) => read(row),
        None => Ok(Vec::new()),
    }
}

async fn setting<R>(tx: &Tx<R>, session: ChatSessionId, locked: bool) -> Result<Option<Setting>> {
    let find = tx.find::<Entity>().filter(Column::SessionId.eq(session)).filter(Column::Key.eq(KEY));
    if locked { find.locked().one().await } else { find.one().await }
}

fn read(row: Setting) -> Result<Vec<ToolDeclaration>> {
    serde_json::from_value(row.value).map_err(Error::internal)
}

impl Conversation {
    /// The tools of a session as a reader sees them, and when they were declared; none: never.
    pub(super) async fn list_tools(&self, scope: &Scope, id: ChatSessionId) -> Result<Option<Setting>> {
        let tx = self.0.db.read(scope).await?;
        let session = access::get(&tx, id).await?;
        setting(&tx, session.id, false).await?.map(masked).transpose()
    }

    /// Declares the tools of a session: all of them, in place of those there are.
    pub(super) async fn declare_tools(
        &self,
        scope: &Scope,
        id: ChatSessionId,
        mut tools: Vec<ToolDeclaration>,
        version: &IfMatch,
    ) -> Result<Setting> {
        check::all(&self.0.client, scope, &tools)?;
        let tx = self.0.db.write(scope).await?;
        // the session's lock puts those who declare at once in an order
        let session = access::get_locked(&tx, id).await?;
        let old = setting(&tx, session.id, true).await?;
        version.check(&old.as_ref().map(|row| etag(row.updated_at)).unwrap_or_default())?;
        let before = old.clone().map(read).transpose()?.unwrap_or_default();
        secrets::seal(&self.0.keyring, &self.0.clock, session.id, &before, &mut tools)?;
        let changes = json!({ "session_id": session.id, "key": KEY, "tools": summary(&tools) });
        let (now, value) = (self.0.clock.now(), serde_json::to_value(tools).map_err(Error::internal)?);
        let (row, action) = match old {
            Some(old) => {
                let version = next_version(old.updated_at, now);
                let mut row = old.into_active_model();
                row.value = Set(value);
                row.updated_at = Set(version);
                (tx.update(row).await?, "update")
            }
            None => {
                let row = ActiveModel {
                    tenant_id: Set(TenantId::NIL),
                    id: Set(self.0.clock.id()),
                    session_id: Set(session.id),
                    key: Set(KEY.to_owned()),
                    value: Set(value),
                    created_at: Set(now),
                    updated_at: Set(now),
                };
                (tx.insert(row).await?, "create")
            }
        };
        let notice = self.record(&tx, action, "session_configs", row.id, changes).await?;
        self.commit(tx, notice).await?;
        masked(row)
    }
}

/// What the audit trail says of tools: which there are, and where Loam sends their use.
fn summary(tools: &[ToolDeclaration]) -> Vec<serde_json::Value> {
    let one = |tool: &ToolDeclaration| match &tool.execution {
        Execution::Client {} => json!({ "name": tool.name(), "execution": "client" }),
        Execution::Http(request) => {
            // a key may stand in the query
            let url = request.url.split('?').next();
            json!({ "name": tool.name(), "execution": "http", "url": url })
        }
    };
    tools.iter().map(one).collect()
}

/// The setting with the secrets of its tools masked.
pub(crate) fn masked(row: Setting) -> Result<Setting> {
    let tools = read(row.clone())?.into_iter().map(secrets::mask).collect::<Vec<_>>();
    Ok(Setting { value: serde_json::to_value(tools).map_err(Error::internal)?, ..row })
}
