//! The rules of tenants.

use loam_kernel::{
    Error, ExpectedVersion, Kind, Page, PageQuery, Result, Scope, TenantId, bounded, etag, merge_object,
    next_version, slug,
};
use loam_platform::changes::changed_fields;
use sea_orm::{IntoActiveModel, Set};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{ActiveModel, Model, TenantStatus};
use super::new_tenant::enqueue_jobs;
use super::queries;
use super::quotas::TenantQuotas;
use crate::Identity;
use crate::api_keys::service::{NewKey, NewRow, insert};

/// A new tenant.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantCreate {
    /// Slug for URLs and the command line: lower-case letters, digits, `-`, `_`, `.`; unique.
    pub slug: String,
    /// Display name; defaults to the slug.
    pub name: Option<String>,
    /// Name of the tenant's plan, which Loam does not interpret.
    pub plan: Option<String>,
    /// Maximum numbers of users, projects and API keys.
    #[serde(default)]
    pub quotas: TenantQuotas,
    /// Settings of the tenant.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// Your own data, which Loam does not interpret.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// Filters for tenants.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TenantFilter {
    /// Only the tenant with this slug.
    pub slug: Option<String>,
}

/// A change of a tenant: omitted fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantUpdate {
    /// Display name.
    pub name: Option<String>,
    /// `suspended`: read-only, model calls return 403; `archived`: exports only.
    pub status: Option<TenantStatus>,
    /// Name of the tenant's plan.
    pub plan: Option<String>,
    /// Quotas to change; null removes one.
    #[schema(value_type = Option<TenantQuotas>)]
    pub quotas: Option<Map<String, Value>>,
    /// Fields of the tenant's settings to change; null removes a field.
    pub settings: Option<Map<String, Value>>,
    /// Fields of your own data to change, which Loam does not interpret; null removes a field.
    pub metadata: Option<Map<String, Value>>,
}

impl Identity {
    /// Lists all tenants, newest first.
    pub async fn list_tenants(
        &self,
        scope: &Scope,
        filter: &TenantFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        self.require_operator(scope)?;
        queries::list(&self.db.system_read(scope).await?, filter, page).await
    }

    /// Returns a tenant: any for an operator, the own one for everybody else.
    pub async fn get_tenant(&self, scope: &Scope, id: TenantId) -> Result<Model> {
        let missing = || Error::not_found("tenant");
        if self.require_operator(scope).is_err() && id != scope.tenant() {
            return Err(missing());
        }
        queries::get(&self.db.system_read(scope).await?, id).await?.ok_or_else(missing)
    }

    /// The tenant with this slug; for the command line.
    pub async fn tenant_by_slug(&self, scope: &Scope, slug: &str) -> Result<Model> {
        self.require_operator(scope)?;
        let found = queries::by_slug(&self.db.system_read(scope).await?, slug).await?;
        found.ok_or_else(|| {
            Error::invalid("tenant", format!("there is no tenant `{slug}`; see `loam tenant list`"))
        })
    }

    /// Creates a tenant with its first key, which has all permissions within it.
    pub async fn create_tenant(&self, scope: &Scope, new: TenantCreate) -> Result<(Model, NewKey)> {
        self.require_operator(scope)?;
        slug("slug", &new.slug, 63)?;
        let name = new.name.unwrap_or_else(|| new.slug.clone());
        bounded("name", &name, 200)?;
        let now = self.clock.now();
        let row = ActiveModel {
            id: Set(self.clock.id()),
            slug: Set(new.slug.clone()),
            name: Set(name),
            status: Set(TenantStatus::Active),
            plan: Set(new.plan),
            quotas: Set(new.quotas.stored()?),
            settings: Set(new.settings.into()),
            metadata: Set(new.metadata.into()),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let mut tx = self.db.system_write(scope).await?;
        let tenant = tx
            .insert_for_any_tenant(row)
            .await
            .map_err(loam_db::already_exists("slug", format!("a tenant `{}` already exists", new.slug)))?;
        let changes = json!({ "slug": tenant.slug, "name": tenant.name, "plan": tenant.plan });
        // the creation is recorded in the operator's audit trail; the new tenant's begins with its first key
        if scope.tenant() != TenantId::NIL {
            self.changes.record(&tx, "create", "tenants", tenant.id, changes.clone()).await?;
        }
        tx.switch_tenant(tenant.id);
        let notice = self.changes.record(&tx, "create", "tenants", tenant.id, changes).await?;
        enqueue_jobs(&tx, &self.clock).await?;
        let (key, key_notice) = insert(self, &tx, NewRow::first(false)).await?;
        self.changes.commit(tx, notice).await?;
        self.notices.publish(&key_notice);
        Ok((tenant, key))
    }

    /// Changes a tenant.
    pub async fn update_tenant(
        &self,
        scope: &Scope,
        id: TenantId,
        version: &ExpectedVersion,
        new: TenantUpdate,
    ) -> Result<Model> {
        // the existence of another tenant is not revealed
        self.require_operator(scope)
            .map_err(|e| if id == scope.tenant() { e } else { Error::not_found("tenant") })?;
        let mut tx = self.db.system_write(scope).await?;
        let old = queries::get_locked(&tx, id).await?.ok_or_else(|| Error::not_found("tenant"))?;
        version.check(&etag(old.updated_at))?;
        if Some(id) == self.default_tenant()
            && new.status.is_some_and(|status| status != TenantStatus::Active)
        {
            return Err(Error::invalid("status", "the default tenant must stay active"));
        }
        if let Some(name) = &new.name {
            bounded("name", name, 200)?;
        }
        let before = old.clone();
        let updated_at = next_version(old.updated_at, self.clock.now());
        let mut row = old.into_active_model();
        new.name.map(|name| row.name = Set(name));
        new.status.map(|status| row.status = Set(status));
        new.plan.map(|plan| row.plan = Set(Some(plan)));
        if let Some(change) = new.quotas {
            row.quotas = Set(TenantQuotas::merged(row.quotas.as_ref(), change)?.stored()?);
        }
        if let Some(change) = new.settings {
            row.settings = Set(merge_object("settings", row.settings.as_ref(), change)?);
        }
        if let Some(change) = new.metadata {
            row.metadata = Set(merge_object("metadata", row.metadata.as_ref(), change)?);
        }
        row.updated_at = Set(updated_at);
        let tenant = tx.update_any(row).await?;
        tx.switch_tenant(id);
        let changes = json!({
            "name": tenant.name, "status": tenant.status, "plan": tenant.plan, "quotas": tenant.quotas,
            "fields": changed_fields(&[
                ("settings", before.settings != tenant.settings),
                ("metadata", before.metadata != tenant.metadata),
            ]),
        });
        let notice = self.changes.record(&tx, "update", "tenants", id, changes).await?;
        self.changes.commit(tx, notice).await?;
        Ok(tenant)
    }
}

/// The error of an archived tenant for everything but an export.
pub(crate) fn archived() -> Error {
    Error::new(Kind::Forbidden, "tenant_archived", "this tenant is archived: only exports are allowed")
}

/// The error of a suspended tenant for everything but reading.
pub(crate) fn suspended() -> Error {
    Error::new(Kind::Forbidden, "tenant_suspended", "this tenant is suspended: only reading is allowed")
}
