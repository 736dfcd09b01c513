//! Rules for channels.

use chrono::{DateTime, TimeDelta, Utc};
use loam_http::surface::present;
use loam_kernel::{
    ChannelId, Error, ExpectedVersion, Page, PageQuery, ProjectId, Result, Scope, TenantId, merge_object,
    merge_typed, slug,
};
use loam_platform::changes::{Audited, lock_version};
use loam_platform::origin;
use loam_platform::webhook_deliveries::signature;
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::chats;
use super::entity::{ActiveModel, ChannelKind, Column, Entity, Model};
use super::kinds;
use super::settings::ChannelSettings;
use crate::channels::Channels;

/// The name is the prefix of the external ids of the channel's users, which have at most 255 characters in
/// all.
const MAX_NAME: usize = 50;
/// Maximum number of seconds that a replaced secret remains valid.
const MAX_OVERLAP_SECONDS: u32 = 7 * 86_400;

/// A channel to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelCreate {
    /// Lower-case letters, digits, `-`, `_`, `.`; unique in the tenant. It can't be changed, because the
    /// external ids of the channel's users contain it.
    pub name: String,
    /// Protocol of the channel.
    pub kind: ChannelKind,
    /// Connection settings of the platform. `webhook`: `url` that replies are posted to; without it none are
    /// sent. `telegram`: `bot_token`, and `api_url`, which defaults to `https://api.telegram.org`.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"url": "https://bots.example.com/loam"}))]
    pub config: Map<String, Value>,
    /// The shared secret: 32 to 256 letters, digits, `_` or `-`. Defaults to a generated secret.
    #[schema(value_type = Option<String>)]
    pub secret: Option<Zeroizing<String>>,
    /// How messages are answered.
    #[serde(default)]
    pub settings: ChannelSettings,
    /// Project ID of its sessions; their calls are attributed to it.
    pub project_id: Option<ProjectId>,
    /// Whether it receives and sends messages. Defaults to true.
    pub is_active: Option<bool>,
    /// Your own data; never interpreted.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A change of a channel. Omitted fields keep their values.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelUpdate {
    /// Connection settings to change. Omitted fields keep their values, null removes a field, and a masked
    /// secret (`{"sealed": true}`) keeps the stored value. If `url` or `api_url` changes to another server
    /// (scheme, host or port), `secret` and `bot_token` must be given again.
    #[schema(value_type = Option<Object>)]
    pub config: Option<Map<String, Value>>,
    /// The new shared secret. It replaces the previous one at once; needed when the server changes.
    #[schema(value_type = Option<String>)]
    pub secret: Option<Zeroizing<String>>,
    /// Settings to change. Omitted fields keep their values; null resets a field to its default.
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Map<String, Value>>,
    /// Project ID of its sessions; null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ProjectId>)]
    pub project_id: Option<Option<ProjectId>>,
    /// Whether it receives and sends messages.
    pub is_active: Option<bool>,
    /// Fields of your own data to change; null removes a field. Never interpreted.
    pub metadata: Option<Map<String, Value>>,
}

/// A new secret for a channel.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRotate {
    /// 32 to 256 letters, digits, `_` or `-`. Defaults to a generated secret.
    #[schema(value_type = Option<String>)]
    pub secret: Option<Zeroizing<String>>,
    /// Seconds that the previous secret remains valid, at most 604,800. Defaults to 3,600.
    pub keep_old_seconds: Option<u32>,
}

/// Filter for channels.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ChannelFilter {
    /// Only the channel with this name.
    pub name: Option<String>,
    /// Only channels of this kind.
    pub kind: Option<ChannelKind>,
    /// Only active channels, or only inactive ones.
    pub is_active: Option<bool>,
}

/// A channel with its secret, which is shown only once.
pub(super) struct WithSecret {
    pub(super) row: Model,
    pub(super) secret: Zeroizing<String>,
}

impl Channels {
    pub(super) async fn list_channels(
        &self,
        scope: &Scope,
        filter: ChannelFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let filter = Condition::all()
            .add_option(filter.name.map(|name| Column::Name.eq(name)))
            .add_option(filter.kind.map(|kind| Column::Kind.eq(kind)))
            .add_option(filter.is_active.map(|is_active| Column::IsActive.eq(is_active)));
        self.0.db.read(scope).await?.find::<Entity>().filter(filter).page(page, |row| row.id.0).await
    }

    pub(super) async fn get_channel(&self, scope: &Scope, id: ChannelId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    pub(super) async fn create_channel(&self, scope: &Scope, new: ChannelCreate) -> Result<WithSecret> {
        slug("name", &new.name, MAX_NAME)?;
        new.settings.check(self.0.turns.default_model(scope.tenant()).as_deref())?;
        self.check_project(scope, new.project_id).await?;
        let id = self.0.clock.id();
        let config = self.configure(new.kind, id, &json!({}), new.config)?;
        let secret = signature::secret(&self.0.clock, new.secret)?;
        let now = self.0.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            project_id: Set(new.project_id),
            kind: Set(new.kind),
            name: Set(new.name),
            config: Set(config),
            secret: Set(kinds::seal_secret(&self.0.keyring, &self.0.clock, id, &secret)?),
            old_secret: Set(None),
            old_secret_until: Set(None),
            settings: Set(serde_json::to_value(new.settings).map_err(Error::internal)?),
            is_active: Set(new.is_active.unwrap_or(true)),
            metadata: Set(new.metadata.into()),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.0.db.write(scope).await?;
        let taken = loam_db::already_exists("name", "a channel with this name already exists");
        let row = self.0.changes.create(tx, row).await.map_err(taken)?;
        Ok(WithSecret { row, secret })
    }

    pub(super) async fn update_channel(
        &self,
        scope: &Scope,
        id: ChannelId,
        version: &ExpectedVersion,
        new: ChannelUpdate,
    ) -> Result<Model> {
        self.check_project(scope, new.project_id.flatten()).await?;
        let tx = self.0.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        let config = match new.config {
            Some(change) => Some(self.configure(old.kind, id, &old.config, change)?),
            None => None,
        };
        let secret = new.secret.map(|secret| signature::secret(&self.0.clock, Some(secret))).transpose()?;
        if let (Some(config), None) = (&config, &secret) {
            let (before, now) = (kinds::address(old.kind, &old.config), kinds::address(old.kind, config));
            origin::check_same_origin("secret", before, now)?;
        }
        let settings = match new.settings {
            Some(change) => {
                Some(merged(&old.settings, change, self.0.turns.default_model(scope.tenant()).as_deref())?)
            }
            None => None,
        };
        let mut row = old.into_active_model();
        config.map(|config| row.config = Set(config));
        if let Some(secret) = secret {
            row.secret = Set(kinds::seal_secret(&self.0.keyring, &self.0.clock, id, &secret)?);
            row.old_secret = Set(None);
            row.old_secret_until = Set(None);
        }
        settings.map(|settings| row.settings = Set(settings));
        new.project_id.map(|project| row.project_id = Set(project));
        new.is_active.map(|is_active| row.is_active = Set(is_active));
        if let Some(change) = new.metadata {
            row.metadata = Set(merge_object("metadata", row.metadata.as_ref(), change)?);
        }
        self.0.changes.update(tx, row).await
    }

    /// Deletes a channel. Its sessions are kept; its pending deliveries are abandoned.
    pub(super) async fn delete_channel(&self, scope: &Scope, id: ChannelId) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        tx.delete::<Entity>().filter(Column::Id.eq(id)).exec().await?;
        let given_up = self.0.deliveries.abandon(&tx, id, "the channel was deleted").await?;
        let mut changes = Entity::view(&old);
        changes["deliveries_given_up"] = json!(given_up);
        let notice = self.0.changes.record(&tx, "delete", "channels", id, changes).await?;
        self.0.changes.commit(tx, notice).await
    }

    pub(super) async fn rotate_channel_secret(
        &self,
        scope: &Scope,
        id: ChannelId,
        new: SecretRotate,
    ) -> Result<WithSecret> {
        let keep = new.keep_old_seconds.unwrap_or(3600);
        if keep > MAX_OVERLAP_SECONDS {
            return Err(Error::invalid("keep_old_seconds", "must be at most 604,800 (one week)"));
        }
        let secret = signature::secret(&self.0.clock, new.secret)?;
        let sealed = kinds::seal_secret(&self.0.keyring, &self.0.clock, id, &secret)?;
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        let now = self.0.clock.now();
        let until: Option<DateTime<Utc>> = (keep > 0).then(|| now + TimeDelta::seconds(keep.into()));
        let before = old.secret.clone();
        let mut row = old.into_active_model();
        row.secret = Set(sealed);
        row.old_secret = Set(until.map(|_| before));
        row.old_secret_until = Set(until);
        let row = self.0.changes.save(&tx, row).await?;
        let changes = json!({ "old_valid_until": until });
        let notice = self.0.changes.record(&tx, "rotate_secret", "channels", id, changes).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(WithSecret { row, secret })
    }

    /// The chats of a channel, newest first.
    pub(super) async fn list_channel_chats(
        &self,
        scope: &Scope,
        id: ChannelId,
        external_id: Option<String>,
        page: &PageQuery,
    ) -> Result<Page<chats::Model>> {
        let tx = self.0.db.read(scope).await?;
        tx.get::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        let filter = Condition::all()
            .add(chats::Column::ChannelId.eq(id))
            .add_option(external_id.map(|id| chats::Column::ExternalId.eq(id)));
        tx.find::<chats::Entity>().filter(filter).page(page, |row| row.id.0).await
    }

    fn configure(
        &self,
        kind: ChannelKind,
        id: ChannelId,
        stored: &Value,
        change: Map<String, Value>,
    ) -> Result<Value> {
        kinds::configure((&self.0.client, &self.0.keyring, &self.0.clock), kind, id, stored, change)
    }

    async fn check_project(&self, scope: &Scope, project: Option<ProjectId>) -> Result<()> {
        let Some(id) = project else { return Ok(()) };
        match self.0.identity.get_project(scope, id).await {
            Err(e) if e.status() == 404 => Err(Error::invalid("project_id", "no such project")),
            found => found.map(drop),
        }
    }
}

/// Merges a change into the settings and validates the result.
fn merged(stored: &Value, change: Map<String, Value>, default_model: Option<&str>) -> Result<Value> {
    let settings: ChannelSettings = merge_typed("settings", stored, change)?;
    settings.check(default_model)?;
    serde_json::to_value(settings).map_err(Error::internal)
}

impl Audited for Entity {
    const NAME: &'static str = "channel";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        kinds::audited(row)
    }
}
