//! Preferences that Loam itself follows.

use loam_db::Tx;
use loam_kernel::{Kind, Result, Scope, TenantId, UserId};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::Deserialize;
use serde_json::Value;

use super::{declared, entity};
use crate::users::names::named;
use crate::{Identity, users};

/// What of a user's `ai_settings` applies to the turns of the user's sessions.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AiSettings {
    /// The model, where the session has none.
    pub model: Option<String>,
    /// The language of answers, as a BCP 47 tag.
    pub language: Option<String>,
}

impl Identity {
    /// A user's `ai_settings`; the defaults of a user who doesn't exist.
    pub async fn ai_settings(&self, tenant: TenantId, user: UserId) -> Result<AiSettings> {
        let rows = match self.preferences.of(&Scope::system(tenant, "conversations"), user).await {
            Err(e) if e.kind() == Kind::NotFound => return Ok(AiSettings::default()),
            rows => rows?,
        };
        let row = rows.iter().find(|row| row.key == "ai_settings");
        Ok(row.and_then(|row| serde_json::from_value(row.value.clone()).ok()).unwrap_or_default())
    }

    /// Whether the user with this e-mail address, if there is one, accepts notifications by e-mail.
    pub async fn accepts_email<R>(&self, tx: &Tx<R>, address: &str) -> Result<bool> {
        let find = tx.find::<users::entity::Entity>().filter(named(users::entity::Column::Email, address));
        let Some(user) = find.one().await? else { return Ok(true) };
        let find = tx.find::<entity::Entity>().filter(entity::Column::UserId.eq(user.id));
        let row = find.filter(entity::Column::Key.eq("notification_prefs")).one().await?;
        let stored = row.map_or(Value::Null, |row| row.value);
        let prefs = declared::find("notification_prefs").map(|declared| declared.filled(&stored));
        Ok(prefs.is_none_or(|prefs| prefs["email"] == true))
    }
}
