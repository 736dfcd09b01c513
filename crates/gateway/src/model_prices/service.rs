//! Creates, reads, changes and deletes prices.

use loam_http::surface::present;
use loam_kernel::{
    Error, ExpectedVersion, ModelPriceId, Page, PageQuery, Result, Scope, TenantId, bounded, slug,
};
use loam_platform::changes::{Audited, lock_version};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{ActiveModel, Column, Entity, Model};
use super::price::{Price, from_usd};
use crate::{Gateway, ai_providers};

/// A price to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPriceCreate {
    /// Name of the provider.
    pub provider: String,
    /// Name of the model at the provider; `*` for all without a price of their own.
    pub model: String,
    /// US dollars per million prompt tokens.
    pub input_per_million: f64,
    /// US dollars per million prompt tokens read from the provider's cache; defaults to `input_per_million`.
    pub cached_input_per_million: Option<f64>,
    /// US dollars per million prompt tokens written to the provider's cache; defaults to `input_per_million`.
    pub cache_write_per_million: Option<f64>,
    /// US dollars per million completion tokens.
    pub output_per_million: f64,
    /// US dollars per character, image, second or search, whichever a call is counted by, besides its tokens; default:
    /// none.
    pub per_unit: Option<f64>,
}

/// A change of a price: omitted fields stay. Settled calls keep their cost.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPriceUpdate {
    /// US dollars per million prompt tokens.
    pub input_per_million: Option<f64>,
    /// US dollars per million prompt tokens read from the provider's cache; null: as `input_per_million`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>)]
    pub cached_input_per_million: Option<Option<f64>>,
    /// US dollars per million prompt tokens written to the provider's cache; null: as `input_per_million`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>)]
    pub cache_write_per_million: Option<Option<f64>>,
    /// US dollars per million completion tokens.
    pub output_per_million: Option<f64>,
    /// US dollars per character, image, second or search, whichever a call is counted by; null: none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>)]
    pub per_unit: Option<Option<f64>>,
}

/// Which prices to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ModelPriceFilter {
    /// Only prices of this provider.
    pub provider: Option<String>,
    /// Only prices of this model.
    pub model: Option<String>,
}

impl Gateway {
    /// The tenant's prices, newest first.
    pub async fn list_prices(
        &self,
        scope: &Scope,
        filter: ModelPriceFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(provider) = filter.provider {
            find = find.filter(Column::Provider.eq(provider));
        }
        if let Some(model) = filter.model {
            find = find.filter(Column::Model.eq(model));
        }
        find.page(page, |row| row.id.0).await
    }

    /// One price.
    pub async fn get_price(&self, scope: &Scope, id: ModelPriceId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Creates a price.
    pub async fn create_price(&self, scope: &Scope, new: ModelPriceCreate) -> Result<Model> {
        slug("provider", &new.provider, 50)?;
        bounded("model", &new.model, 200)?;
        let cached =
            new.cached_input_per_million.map(|usd| from_usd("cached_input_per_million", usd)).transpose()?;
        let cache_write =
            new.cache_write_per_million.map(|usd| from_usd("cache_write_per_million", usd)).transpose()?;
        let now = self.0.clock.now();
        let provider = new.provider;
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.0.clock.id()),
            provider: Set(provider.clone()),
            model: Set(new.model),
            input_nano_usd: Set(from_usd("input_per_million", new.input_per_million)?),
            cached_input_nano_usd: Set(cached),
            cache_write_nano_usd: Set(cache_write),
            output_nano_usd: Set(from_usd("output_per_million", new.output_per_million)?),
            unit_nano_usd: Set(new.per_unit.map(|usd| from_usd("per_unit", usd)).transpose()?),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.0.db.write(scope).await?;
        // a misspelled name would silently leave calls without a cost
        let named = ai_providers::entity::Column::Name.eq(&provider);
        if tx.find::<ai_providers::entity::Entity>().filter(named).one().await?.is_none() {
            return Err(Error::invalid("provider", "no provider has this name"));
        }
        let message = "this model already has a price at this provider; change that price";
        self.0.changes.create(tx, row).await.map_err(loam_db::already_exists("model", message))
    }

    /// Changes a price.
    pub async fn update_price(
        &self,
        scope: &Scope,
        id: ModelPriceId,
        version: &ExpectedVersion,
        new: ModelPriceUpdate,
    ) -> Result<Model> {
        let input = new.input_per_million.map(|usd| from_usd("input_per_million", usd)).transpose()?;
        let output = new.output_per_million.map(|usd| from_usd("output_per_million", usd)).transpose()?;
        let optional = |param, usd: Option<Option<f64>>| {
            usd.map(|usd| usd.map(|usd| from_usd(param, usd)).transpose()).transpose()
        };
        let cached = optional("cached_input_per_million", new.cached_input_per_million)?;
        let cache_write = optional("cache_write_per_million", new.cache_write_per_million)?;
        let unit = optional("per_unit", new.per_unit)?;
        let tx = self.0.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        let mut row = old.into_active_model();
        input.map(|nano| row.input_nano_usd = Set(nano));
        cached.map(|nano| row.cached_input_nano_usd = Set(nano));
        cache_write.map(|nano| row.cache_write_nano_usd = Set(nano));
        output.map(|nano| row.output_nano_usd = Set(nano));
        unit.map(|nano| row.unit_nano_usd = Set(nano));
        self.0.changes.update(tx, row).await
    }

    /// Deletes a price: calls from now on have no cost.
    pub async fn delete_price(&self, scope: &Scope, id: ModelPriceId) -> Result<()> {
        self.0.changes.delete::<Entity>(self.0.db.write(scope).await?, id).await
    }
}

impl Audited for Entity {
    const NAME: &'static str = "model price";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "provider": row.provider,
            "model": row.model,
            "input_per_million": Price::to_usd(row.input_nano_usd),
            "cached_input_per_million": row.cached_input_nano_usd.map(Price::to_usd),
            "cache_write_per_million": row.cache_write_nano_usd.map(Price::to_usd),
            "output_per_million": Price::to_usd(row.output_nano_usd),
            "per_unit": row.unit_nano_usd.map(Price::to_usd),
        })
    }
}
