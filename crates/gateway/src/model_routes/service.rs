//! Creates, reads, changes and deletes routes.

use std::collections::HashMap;

use loam_db::{Tenant, Tx};
use loam_http::surface::present;
use loam_kernel::{
    Error, ExpectedVersion, ModelRouteId, Page, PageQuery, Result, Scope, TenantId, merge_object,
    merge_typed, slug,
};
use loam_platform::changes::{Audited, lock_version};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{ActiveModel, Column, Entity, Model};
use super::targets::{check, check_all};
use super::{CoolDownRule, Retries, RouteTimeouts, Target};
use crate::{Gateway, ai_providers};

/// The longest time that a response is cached: a week.
const MAX_CACHE_SECONDS: i32 = 7 * 24 * 3600;

/// A route to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRouteCreate {
    /// The alias that clients send as `model`: lower-case letters, digits, `-`, `_`, `.`; unique in the tenant.
    pub alias: String,
    /// The targets of calls.
    pub targets: Vec<Target>,
    /// Timeouts of a call's steps.
    #[serde(default)]
    pub timeouts: RouteTimeouts,
    /// How often all targets are retried.
    #[serde(default)]
    pub retries: Retries,
    /// When a failing target cools down.
    #[serde(default)]
    pub cool_down: CoolDownRule,
    /// Seconds for which a response is cached for identical requests; not cached by default.
    pub cache_seconds: Option<i32>,
    /// Whether it can be called; defaults to true.
    pub is_active: Option<bool>,
    /// Your metadata; never interpreted.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A change of a route: omitted fields stay.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRouteUpdate {
    /// The targets of calls; replaces all of them.
    pub targets: Option<Vec<Target>>,
    /// Timeouts of a call's steps to change; null removes one.
    #[schema(value_type = Option<RouteTimeouts>)]
    pub timeouts: Option<Map<String, Value>>,
    /// Fields to change of how often all targets are retried; null resets a field to its default.
    #[schema(value_type = Option<Retries>)]
    pub retries: Option<Map<String, Value>>,
    /// Fields to change of when a failing target cools down; null resets a field to its default.
    #[schema(value_type = Option<CoolDownRule>)]
    pub cool_down: Option<Map<String, Value>>,
    /// Seconds for which a response is cached for identical requests; null: not cached.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i32>)]
    pub cache_seconds: Option<Option<i32>>,
    /// Whether it can be called.
    pub is_active: Option<bool>,
    /// Fields of your metadata to change; null removes a field. Never interpreted.
    pub metadata: Option<Map<String, Value>>,
}

/// Which routes to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ModelRouteFilter {
    /// Only the route of this alias.
    pub alias: Option<String>,
    /// Only routes that can be called, or only those that can't.
    pub is_active: Option<bool>,
}

impl Gateway {
    /// The tenant's routes, newest first.
    pub async fn list_routes(
        &self,
        scope: &Scope,
        filter: ModelRouteFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(alias) = filter.alias {
            find = find.filter(Column::Alias.eq(alias));
        }
        if let Some(is_active) = filter.is_active {
            find = find.filter(Column::IsActive.eq(is_active));
        }
        find.page(page, |row| row.id.0).await
    }

    /// One route.
    pub async fn get_route(&self, scope: &Scope, id: ModelRouteId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Creates a route.
    pub async fn create_route(&self, scope: &Scope, new: ModelRouteCreate) -> Result<Model> {
        slug("alias", &new.alias, 100)?;
        check(&new.targets)?;
        new.timeouts.check()?;
        new.retries.check()?;
        new.cool_down.check()?;
        check_cache(new.cache_seconds)?;
        let tx = self.0.db.write(scope).await?;
        check_targets(&tx, &new.alias, Some(&new.targets)).await?;
        let now = self.0.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.0.clock.id()),
            alias: Set(new.alias),
            targets: Set(json!(new.targets)),
            timeouts: Set(json!(new.timeouts)),
            retries: Set(json!(new.retries)),
            cool_down: Set(json!(new.cool_down)),
            cache_seconds: Set(new.cache_seconds),
            is_active: Set(new.is_active.unwrap_or(true)),
            metadata: Set(new.metadata.into()),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let taken = loam_db::already_exists("alias", "a route with this alias already exists");
        self.0.changes.create(tx, row).await.map_err(taken)
    }

    /// Changes a route; calls use the change within a second.
    pub async fn update_route(
        &self,
        scope: &Scope,
        id: ModelRouteId,
        version: &ExpectedVersion,
        new: ModelRouteUpdate,
    ) -> Result<Model> {
        new.targets.as_deref().map_or(Ok(()), check)?;
        check_cache(new.cache_seconds.flatten())?;
        let tx = self.0.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        if let Some(targets) = &new.targets {
            check_targets(&tx, &old.alias, Some(targets)).await?;
        }
        let timeouts: Option<RouteTimeouts> =
            new.timeouts.map(|change| merge_typed("timeouts", &old.timeouts, change)).transpose()?;
        let retries: Option<Retries> =
            new.retries.map(|change| merge_typed("retries", &old.retries, change)).transpose()?;
        let cool_down: Option<CoolDownRule> =
            new.cool_down.map(|change| merge_typed("cool_down", &old.cool_down, change)).transpose()?;
        timeouts.map_or(Ok(()), |timeouts| timeouts.check())?;
        retries.map_or(Ok(()), |retries| retries.check())?;
        cool_down.map_or(Ok(()), |cool_down| cool_down.check())?;
        let mut row = old.into_active_model();
        new.targets.map(|targets| row.targets = Set(json!(targets)));
        timeouts.map(|timeouts| row.timeouts = Set(json!(timeouts)));
        retries.map(|retries| row.retries = Set(json!(retries)));
        cool_down.map(|cool_down| row.cool_down = Set(json!(cool_down)));
        new.cache_seconds.map(|seconds| row.cache_seconds = Set(seconds));
        new.is_active.map(|is_active| row.is_active = Set(is_active));
        if let Some(change) = new.metadata {
            row.metadata = Set(merge_object("metadata", row.metadata.as_ref(), change)?);
        }
        self.0.changes.update(tx, row).await
    }

    /// Deletes a route, unless another route has it as a target.
    pub async fn delete_route(&self, scope: &Scope, id: ModelRouteId) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        check_targets(&tx, &old.alias, None).await.map_err(|e| {
            Error::new(loam_kernel::Kind::Conflict, "in_use", e.message().to_owned()).with_source(e)
        })?;
        self.0.changes.delete::<Entity>(tx, id).await
    }
}

/// Rejects invalid targets: an unknown provider or route, or a cycle. `targets` is none if the route is about to be
/// deleted. The tenant's routes are locked, so that two concurrent changes can't form a cycle together.
async fn check_targets(tx: &Tx<Tenant>, alias: &str, targets: Option<&[Target]>) -> Result<()> {
    let rows = tx.find::<Entity>().locked().all().await?;
    let mut routes: HashMap<String, Vec<Target>> = rows
        .into_iter()
        .map(|row| Ok((row.alias, serde_json::from_value(row.targets).map_err(Error::internal)?)))
        .collect::<Result<_>>()?;
    match targets {
        Some(targets) => drop(routes.insert(alias.to_owned(), targets.to_vec())),
        None => drop(routes.remove(alias)),
    }
    // locked too, so that none of them is deleted meanwhile
    let providers = tx.find::<ai_providers::entity::Entity>().locked().all().await?;
    let providers: Vec<String> = providers.into_iter().map(|row| row.name).collect();
    for (i, target) in targets.into_iter().flatten().enumerate() {
        if let Some(provider) = target.provider.as_ref().filter(|provider| !providers.contains(provider)) {
            let message = format!("provider `{provider}` does not exist");
            return Err(Error::invalid(format!("targets.{i}.provider"), message));
        }
    }
    check_all(alias, &routes)
}

fn check_cache(seconds: Option<i32>) -> Result<()> {
    match seconds {
        Some(seconds) if !(1..=MAX_CACHE_SECONDS).contains(&seconds) => {
            Err(Error::invalid("cache_seconds", format!("must be 1 to {MAX_CACHE_SECONDS}")))
        }
        _ => Ok(()),
    }
}

impl Audited for Entity {
    const NAME: &'static str = "route";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "alias": row.alias,
            "targets": row.targets,
            "timeouts": row.timeouts,
            "retries": row.retries,
            "cool_down": row.cool_down,
            "cache_seconds": row.cache_seconds,
            "is_active": row.is_active,
        })
    }
}
