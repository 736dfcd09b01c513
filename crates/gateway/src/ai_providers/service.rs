//! Creates, reads, changes and deletes providers.

use loam_db::Tx;
use loam_kernel::{
    AiProviderId, Error, ExpectedVersion, Page, PageQuery, Result, Scope, TenantId, bounded, merge_object,
    slug,
};
use loam_platform::changes::{Audited, lock_version};
use loam_providers::{KINDS, KindInfo, kind};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{ActiveModel, Column, Entity, Model};
use super::stored_config::{kind_of, shown_config};
use super::{prepared, secrets};
use crate::Gateway;
use crate::model_routes::removal::{check_unused, lock_routes};

/// A provider to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AiProviderCreate {
    /// First half of `provider/model`: lower-case letters, digits, `-`, `_`, `.`; unique in the tenant.
    pub name: String,
    /// Kind: `openai` (OpenAI, and every compatible server), `anthropic`, `qwen`, `deepseek`, `ollama`, `dify`.
    pub kind: String,
    /// Display name; defaults to that of the kind.
    pub display_name: Option<String>,
    /// The configuration, valid under the kind's `config_schema`.
    #[serde(default)]
    #[schema(value_type = Object, example = json!({"base_url": "https://api.openai.com/v1", "api_key": "sk-…"}))]
    pub config: Value,
    /// Whether its models can be called; defaults to true.
    pub is_active: Option<bool>,
    /// Your metadata; never interpreted.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A change of a provider: omitted fields stay.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AiProviderUpdate {
    /// Display name.
    pub display_name: Option<String>,
    /// Fields of the configuration: omitted fields stay, null removes, a masked secret (`{"sealed": true}`) stays. If
    /// `base_url` changes to another server (scheme, host or port), secrets must be sent again.
    #[schema(value_type = Option<Object>)]
    pub config: Option<Map<String, Value>>,
    /// Whether its models can be called.
    pub is_active: Option<bool>,
    /// Fields of your metadata to change; null removes a field. Never interpreted.
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

    /// Whether the tenant has this provider: for other crates, within their own transactions.
    pub async fn has_provider<R>(&self, tx: &Tx<R>, id: AiProviderId) -> Result<bool> {
        Ok(tx.get::<Entity>(id).await?.is_some())
    }

    /// One provider.
    pub async fn get_provider(&self, scope: &Scope, id: AiProviderId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Creates a provider. It replaces a prepared one of its name that nobody has changed.
    pub async fn create_provider(&self, scope: &Scope, new: AiProviderCreate) -> Result<Model> {
        slug("name", &new.name, 50)?;
        let kind = kind(&new.kind).ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            Error::invalid(
                "kind",
                format!("is not a known kind of provider: use one of `{}`", names.join("`, `")),
            )
        })?;
        let display_name = new.display_name.unwrap_or_else(|| kind.display_name.to_owned());
        bounded("display_name", &display_name, 100)?;
        let config = if new.config.is_null() { json!({}) } else { new.config };
        let name = new.name;
        let id = self.0.clock.id();
        let config = self.check(kind, config)?;
        let config = secrets::seal(&self.0.keyring, &self.0.clock, kind, id, config)?;
        let now = self.0.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            name: Set(name.clone()),
            kind: Set(new.kind),
            display_name: Set(display_name),
            config: Set(config),
            is_active: Set(new.is_active.unwrap_or(true)),
            metadata: Set(new.metadata.into()),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.0.db.write(scope).await?;
        let replaced = prepared::make_room(&self.0.changes, &tx, &name).await?;
        let taken = loam_db::already_exists("name", "a provider with this name already exists");
        let row = self.0.changes.create(tx, row).await.map_err(taken)?;
        self.0.changes.publish(replaced.as_slice());
        Ok(row)
    }

    /// Changes a provider.
    pub async fn update_provider(
        &self,
        scope: &Scope,
        id: AiProviderId,
        version: &ExpectedVersion,
        new: AiProviderUpdate,
    ) -> Result<Model> {
        if let Some(name) = &new.display_name {
            bounded("display_name", name, 100)?;
        }
        let tx = self.0.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        // a prepared provider may be activated only with a valid configuration
        let activated = (new.is_active == Some(true) && !old.is_active).then(Map::new);
        let config = match new.config.or(activated) {
            Some(change) => Some(self.merge(&old, change)?),
            None => None,
        };
        let mut row = old.into_active_model();
        new.display_name.map(|name| row.display_name = Set(name));
        config.map(|config| row.config = Set(config));
        new.is_active.map(|is_active| row.is_active = Set(is_active));
        if let Some(change) = new.metadata {
            row.metadata = Set(merge_object("metadata", row.metadata.as_ref(), change)?);
        }
        self.0.changes.update(tx, row).await
    }

    /// Deletes a provider. Its calls stay in the ledger. With `cascade` it is removed from the routes that use it, and
    /// routes without another target are deleted; otherwise such routes prevent the deletion.
    pub async fn delete_provider(&self, scope: &Scope, id: AiProviderId, cascade: bool) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        // in this order, as changes of routes do; once the provider is locked, no route can begin to use it
        lock_routes(&tx).await?;
        let name = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?.name;
        let routes = lock_routes(&tx).await?;
        if !cascade {
            check_unused(&routes, &name)?;
        }
        let notices = self.remove_from_routes(&tx, routes, &name).await?;
        self.0.changes.delete::<Entity>(tx, id).await?;
        self.0.changes.publish(&notices);
        Ok(())
    }

    /// Applies a change to a stored configuration, unsealing it so that the result can be checked.
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

impl Audited for Entity {
    const NAME: &'static str = "provider";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({ "name": row.name, "kind": row.kind, "config": shown_config(row), "is_active": row.is_active })
    }
}
