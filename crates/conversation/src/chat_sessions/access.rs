//! Who may see a session.

use loam_db::Tx;
use loam_kernel::{ChatSessionId, Error, Result, Scope, UserId};

use super::entity::{Entity, Model};
use crate::Conversation;

/// The permission to see every user's sessions.
pub(crate) const ALL: &str = "chat_sessions:all";

/// The user whose sessions alone a caller may see; none: every one's. A key of nobody's acts for the application.
pub(crate) fn own_only(scope: &Scope) -> Option<UserId> {
    scope.own_only(ALL)
}

/// Passes over a session that the caller may not see: to them it doesn't exist.
pub(crate) fn visible(scope: &Scope, session: Option<Model>) -> Result<Model> {
    let own = own_only(scope);
    session.filter(|session| own.is_none() || session.user_id == own).ok_or_else(missing)
}

/// A session that the caller may see.
pub(crate) async fn get<R>(tx: &Tx<R>, id: ChatSessionId) -> Result<Model> {
    visible(tx.scope(), tx.get::<Entity>(id).await?)
}

/// The same, locked until the transaction ends: whoever gives out numbers holds it.
pub(crate) async fn get_locked<R>(tx: &Tx<R>, id: ChatSessionId) -> Result<Model> {
    visible(tx.scope(), tx.get_locked::<Entity>(id).await?)
}

pub(crate) fn missing() -> Error {
    Error::not_found("chat session")
}

impl Conversation {
    /// What the application calls the user whose session this is.
    pub(crate) async fn end_user(&self, session: &Model) -> Result<Option<String>> {
        let Some(user) = session.user_id else { return Ok(None) };
        let name = self.0.identity.external_id(session.tenant_id, user).await?;
        Ok(name.map(|name| name.to_string()))
    }
}
