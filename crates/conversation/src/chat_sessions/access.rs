//! Access rules of sessions.

use loam_db::Tx;
use loam_kernel::{ChatSessionId, Error, Result, Scope, UserId};
use loam_platform::changes::Audited;
use serde_json::{Value, json};

use super::entity::{Column, Entity, Model};

/// The permission to see the sessions of all users.
pub(crate) const ALL: &str = "chat_sessions:all";

/// The user whose sessions a caller is limited to; `None` for no limit. A key without a user acts for the
/// application.
pub(crate) fn own_only(scope: &Scope) -> Option<UserId> {
    scope.own_only(ALL)
}

/// Hides a session that the caller may not see: it is reported as not found.
pub(crate) fn visible(scope: &Scope, session: Option<Model>) -> Result<Model> {
    let own = own_only(scope);
    session.filter(|session| own.is_none() || session.user_id == own).ok_or_else(missing)
}

/// A session that the caller may see.
pub(crate) async fn get<R>(tx: &Tx<R>, id: ChatSessionId) -> Result<Model> {
    visible(tx.scope(), tx.get::<Entity>(id).await?)
}

/// The same, locked until the transaction ends. Assigning sequence numbers requires this lock.
pub(crate) async fn get_locked<R>(tx: &Tx<R>, id: ChatSessionId) -> Result<Model> {
    visible(tx.scope(), tx.get_locked::<Entity>(id).await?)
}

pub(crate) fn missing() -> Error {
    Entity::missing()
}

impl Audited for Entity {
    const NAME: &'static str = "chat session";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(session: &Model) -> Value {
        json!({ "user_id": session.user_id, "project_id": session.project_id })
    }
}
