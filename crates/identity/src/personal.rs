//! What this crate has of a person.

use std::sync::Arc;

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_kernel::Result;
use loam_platform::audit_logs;
use loam_platform::audit_logs::routes::AuditLogView;
use loam_platform::personal::{Cursor, Rows, Step, Store, Who};
use serde::Serialize;
use serde_json::Value;

use crate::api_keys::{self, routes::ApiKeyView};
use crate::login_sessions::{self, routes::LoginSessionView};
use crate::user_preferences;
use crate::users::{self, routes::UserView};

/// The places of this crate.
pub fn stores() -> Vec<Arc<dyn Store>> {
    vec![Arc::new(PREFERENCES), Arc::new(LOG_INS), Arc::new(KEYS), Arc::new(USERS), Arc::new(Trail)]
}

const PREFERENCES: Rows<user_preferences::entity::Entity> = Rows::deleted(
    "user_preferences",
    |who| who.by_user(user_preferences::entity::Column::UserId),
    |row: &user_preferences::entity::Model| row.id.0,
    |row: user_preferences::entity::Model| serde_json::json!({ "user_id": row.user_id, "key": row.key, "value": row.value, "created_at": row.created_at }),
);

const LOG_INS: Rows<login_sessions::entity::Entity> = Rows::deleted(
    "login_sessions",
    |who| who.by_user(login_sessions::entity::Column::UserId),
    |row: &login_sessions::entity::Model| row.id.0,
    |row: login_sessions::entity::Model| view(LoginSessionView::from(row)),
);

const KEYS: Rows<api_keys::entity::Entity> = Rows::deleted(
    "api_keys",
    |who| who.by_user(api_keys::entity::Column::UserId),
    |row: &api_keys::entity::Model| row.id.0,
    |row: api_keys::entity::Model| view(ApiKeyView::from(row)),
);

const USERS: Rows<users::entity::Entity> = Rows::deleted(
    "users",
    |who| who.by_user(users::entity::Column::Id),
    |row: &users::entity::Model| row.id.0,
    |row: users::entity::Model| view(UserView::from(row)),
);

/// The audit trail: shown from here, and erased in its own way, as its chain must hold.
struct Trail;

const CHANGES: Rows<audit_logs::entity::Entity> = Rows::searched(
    "audit_logs",
    |row: &audit_logs::entity::Model, who: &Who| {
        who.actors().contains(&row.actor)
            || who.is_named_in(&row.resource_id)
            || who.is_named_in_json(&row.changes)
    },
    |row: &audit_logs::entity::Model| row.id.0,
    |row: audit_logs::entity::Model| view(AuditLogView::from(row)),
);

#[async_trait]
impl Store for Trail {
    fn name(&self) -> &'static str {
        "audit_logs"
    }

    fn looks_at_all(&self) -> bool {
        true
    }

    async fn remove(&self, _: &Tx<Tenant>, _: &Who, _: Cursor) -> Result<Step> {
        Ok(Step::default())
    }

    async fn show(&self, tx: &Tx<Tenant>, who: &Who, from: Cursor) -> Result<(Vec<Value>, Option<Cursor>)> {
        CHANGES.show(tx, who, from).await
    }
}

fn view(shown: impl Serialize) -> Value {
    serde_json::to_value(shown).unwrap_or_default()
}
