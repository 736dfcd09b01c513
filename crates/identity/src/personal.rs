//! The locations of personal data in this crate.

use std::sync::Arc;

use loam_platform::personal::{PersonalDataStore, Rows};
use serde::Serialize;
use serde_json::Value;

use crate::api_keys::{self, routes::ApiKeyView};
use crate::login_sessions::{self, routes::LoginSessionView};
use crate::user_preferences;
use crate::users::{self, routes::UserView};

/// The locations of this crate.
pub fn stores() -> Vec<Arc<dyn PersonalDataStore>> {
    vec![Arc::new(PREFERENCES), Arc::new(LOG_INS), Arc::new(KEYS), Arc::new(USERS)]
}

const PREFERENCES: Rows<user_preferences::entity::Entity> = Rows::by_index(
    "user_preferences",
    |who| who.by_user(user_preferences::entity::Column::UserId),
    |row: &user_preferences::entity::Model| row.id.0,
    |row: user_preferences::entity::Model| serde_json::json!({ "user_id": row.user_id, "key": row.key, "value": row.value, "created_at": row.created_at }),
);

const LOG_INS: Rows<login_sessions::entity::Entity> = Rows::by_index(
    "login_sessions",
    |who| who.by_user(login_sessions::entity::Column::UserId),
    |row: &login_sessions::entity::Model| row.id.0,
    |row: login_sessions::entity::Model| view(LoginSessionView::from(row)),
);

const KEYS: Rows<api_keys::entity::Entity> = Rows::by_index(
    "api_keys",
    |who| who.by_user(api_keys::entity::Column::UserId),
    |row: &api_keys::entity::Model| row.id.0,
    |row: api_keys::entity::Model| view(ApiKeyView::from(row)),
);

const USERS: Rows<users::entity::Entity> = Rows::by_index(
    "users",
    |who| who.by_user(users::entity::Column::Id),
    |row: &users::entity::Model| row.id.0,
    |row: users::entity::Model| view(UserView::from(row)),
);

fn view(shown: impl Serialize) -> Value {
    serde_json::to_value(shown).unwrap_or_default()
}
