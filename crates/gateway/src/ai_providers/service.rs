//! The rules of providers.

use loam_db::Tx;
use loam_http::surface::{IfMatch, etag, next_version};
use loam_kernel::{AiProviderId, Error, Page, PageQuery, Result, Scope, TenantId, bounded, slug};
use loam_platform::seal::Keyring;
use loam_providers::{KINDS, KindInfo, kind};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{ActiveModel, Column, Entity, Model};
use super::secrets;
use crate::Gateway;

/// A provider to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AiProviderCreate {
    /// First half of `provider/model`: lower-case letters, digits, `-`, `_`, `.`; unique in the tenant.
    pub name: String,
    /// Kind: `openai` (OpenAI, and every server that speaks its API), `anthropic`, `qwen`, `deepseek`, `ollama`, `dify`.
    pub kind: String,
    /// Name for people; that of the kind unless given.
    pub display_name: Option<String>,
    /// As the kind's `config_schema` says.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"base_url": "https://api.openai.com/v1", "api_key": "sk-…"}))]
    pub config: Value,
    /// Whether its models can be called; true unless given.
    pub is_active: Option<bool>,
    /// Your own; never interpreted.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A change of a provider: what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AiProviderUpdate {
    /// Name for people.
    pub display_name: Option<String>,
    /// Fields of the configuration: what is left out stays, null removes, a secret as it is read (`{"sealed": true}`)
    /// stays. Where `base_url` leads to another server (scheme, host or port), secrets must be given again.
    #[schema(value_type = Option<Object>)]
    pub config: Option<Map<String, Value>>,
    /// Whether its models can be called.
    pub is_active: Option<bool>,
    /// Your own; never interpreted.
    pub metadata: Option<Map<String, Value>>,
}

/// Which providers to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AiProviderFilter {
    /// Only the provider of this name.
    pub name: Option<String>,
    /// Only providers that can be called, or only those that can't.
    pub is_active: Option<bool>,
}

impl Gateway {
    /// The tenant's providers, newest first.
    pub async fn list_providers(
        &self,
        scope: &Scope,
        filter: AiProviderFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(name) = filter.name {
            find = find.filter(Column::Name.eq(name));
        }
        if let Some(is_active) = filter.is_active {
            find = find.filter(Column::IsActive.eq(is_active));
        }
        find.page(page, |row| row.id.0).await
    }

    /// Whether the tenant has this provider: asked by floors above, within their own transactions.
    pub async fn has_provider<R>(&self, tx: &Tx<R>, id: AiProviderId) -> Result<bool> {
        Ok(tx.get::<Entity>(id).await?.is_some())
    }

    /// One provider.
    pub async fn get_provider(&self, scope: &Scope, id: AiProviderId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(missing)
    }

    /// Makes a provider.
    pub async fn create_provider(&self, scope: &Scope, new: AiProviderCreate) -> Result<Model> {
        slug("name", &new.name, 50)?;
        let kind = kind(&new.kind).ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            Error::invalid(
                "kind",
                format!("there is no such kind of provider; there are `{}`", names.join("`, `")),
            )
        })?;
        let display_name = new.display_name.unwrap_or_else(|| kind.display_name.to_owned());
        bounded("display_name", &display_name, 100)?;
        let config = if new.config.is_null() { json!({}) } else { new.config };
        let id = self.0.clock.id();
        let config = self.check(kind, config)?;
        let config = secrets::seal(&self.0.keyring, &self.0.clock, kind, id, config)?;
        let now = self.0.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            name: Set(new.name),
            kind: Set(new.kind),
            display_name: Set(display_name),
            config: Set(config),
            is_active: Set(new.is_active.unwrap_or(true)),
            metadata: Set(new.metadata.into()),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.0.db.write(scope).await?;
        let row = tx
            .insert(row)
            .await
            .map_err(loam_db::taken("name", "there is a provider with this name already"))?;
        let notice = self.0.changes.record(&tx, "create", "ai_providers", id, changes(&row)).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Changes a provider.
    pub async fn update_provider(
        &self,
        scope: &Scope,
        id: AiProviderId,
        version: &IfMatch,
        new: AiProviderUpdate,
    ) -> Result<Model> {
        if let Some(name) = &new.display_name {
            bounded("display_name", name, 100)?;
        }
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        version.check(&etag(old.updated_at))?;
        let config = match new.config {
            Some(change) => Some(self.merge(&old, change)?),
            None => None,
        };
        let updated_at = next_version(old.updated_at, self.0.clock.now());
        let mut row = old.into_active_model();
        new.display_name.map(|name| row.display_name = Set(name));
        config.map(|config| row.config = Set(config));
        new.is_active.map(|is_active| row.is_active = Set(is_active));
        new.metadata.map(|metadata| row.metadata = Set(metadata.into()));
        row.updated_at = Set(updated_at);
        let row = tx.update(row).await?;
        let notice = self.0.changes.record(&tx, "update", "ai_providers", id, changes(&row)).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Deletes a provider. Its calls stay on record.
    pub async fn delete_provider(&self, scope: &Scope, id: AiProviderId) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        if tx.delete::<Entity>().filter(Column::Id.eq(id)).exec().await? == 0 {
            return Err(missing());
        }
        let notice = self.0.changes.record(&tx, "delete", "ai_providers", id, json!({})).await?;
        self.0.changes.commit(tx, notice).await
    }

    /// Puts a change over a kept configuration, opening what stays secret so that the whole can be checked again.
    fn merge(&self, old: &Model, change: Map<String, Value>) -> Result<Value> {
        let kind = kind_of(old)?;
        let config = secrets::open(&self.0.keyring, kind, old.id, &old.config)?;
        let config = secrets::merge(kind, config, change.clone())?;
        let config = self.check(kind, config.into())?;
        secrets::check_origin(kind, &old.config, &change, &config)?;
        secrets::seal(&self.0.keyring, &self.0.clock, kind, old.id, config)
    }

    fn check(&self, kind: &KindInfo, config: Value) -> Result<Value> {
        let config = kind.check(config)?;
        self.0.client.check_url("config.base_url", config["base_url"].as_str().unwrap_or_default())?;
        Ok(config)
    }
}

/// The kind of a provider that is kept.
pub(crate) fn kind_of(row: &Model) -> Result<&'static KindInfo> {
    kind(&row.kind).ok_or_else(|| Error::internal("a provider of an unknown kind"))
}

/// A kept configuration, ready for use.
pub(crate) fn open_config(keyring: &Keyring, row: &Model) -> Result<loam_providers::Config> {
    let config = secrets::open(keyring, kind_of(row)?, row.id, &row.config)?;
    serde_json::from_value(config.into()).map_err(Error::internal)
}

/// A kept configuration as a reader sees it.
pub(crate) fn shown_config(row: &Model) -> Value {
    // nothing is shown of what this Loam can't tell the secrets of
    kind(&row.kind).map_or(Value::Null, |kind| secrets::mask(kind, &row.config))
}

fn changes(row: &Model) -> Value {
    json!({ "name": row.name, "kind": row.kind, "config": shown_config(row), "is_active": row.is_active })
}

fn missing() -> Error {
    Error::not_found("provider")
}
