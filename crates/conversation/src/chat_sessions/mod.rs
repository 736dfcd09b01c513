//! Sessions: one conversation each, with its fields and the number of its last message.

pub(crate) mod access;
pub(crate) mod cache;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod detach;
pub mod entity;
pub(crate) mod list;
pub mod routes;
pub(crate) mod update;
mod warm;

pub use create::ChatSessionCreate;
pub use list::ChatSessionFilter;
pub use update::ChatSessionUpdate;

use std::sync::Arc;

use loam_db::{Db, Tx};
use loam_gateway::Gateway;
use loam_identity::Identity;
use loam_identity::user_preferences::AiSettings;
use loam_kernel::{ChatSessionId, Clock, Result, Scope};
use loam_platform::audit_logs::{self, Change};
use loam_platform::changes::Changes;
use loam_platform::notices::{self, Notice, Notices};
use serde_json::Value;

use cache::Caches;
use entity::Model;

/// The topic of notices about sessions.
pub(crate) const TOPIC: &str = "chat_sessions";

/// Sessions and their fields. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    pub(crate) gateway: Gateway,
    pub(crate) caches: Arc<Caches>,
}

impl Sessions {
    /// A session.
    pub async fn get_session(&self, scope: &Scope, id: ChatSessionId) -> Result<Model> {
        access::visible(scope, self.0.caches.session(&self.0.db, scope.tenant(), id).await?)
    }

    /// Audits and announces a change of a session, in its transaction.
    pub(crate) async fn session_changed<R>(
        &self,
        tx: &Tx<R>,
        action: &'static str,
        session: &Model,
        changes: Value,
    ) -> Result<Notice> {
        let id = session.id.to_string();
        let change = Change { action, resource_type: TOPIC, resource_id: &id, changes };
        audit_logs::record(tx, &self.0.clock, change).await?;
        notices::announce(tx, &self.0.clock, TOPIC, session.id.0, session.user_id).await
    }

    /// The `ai_settings` of the session's user.
    pub(crate) async fn ai_settings(&self, session: &Model) -> Result<AiSettings> {
        let Some(user) = session.user_id else { return Ok(AiSettings::default()) };
        self.0.identity.ai_settings(session.tenant_id, user).await
    }

    /// The application's id of the session's user.
    pub(crate) async fn end_user(&self, session: &Model) -> Result<Option<String>> {
        let Some(user) = session.user_id else { return Ok(None) };
        let name = self.0.identity.external_id(session.tenant_id, user).await?;
        Ok(name.map(|name| name.to_string()))
    }
}
