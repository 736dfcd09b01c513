//! Quotas: how many users, projects and API keys a tenant can have.

use loam_db::{Tenant, Tx};
use loam_kernel::{Error, Kind, Result, Scope, TenantId, merge_typed};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::queries;
use crate::{Identity, api_keys, projects, users};

/// Maximum numbers of a tenant's resources; an omitted one is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TenantQuotas {
    /// Users.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub users: Option<u32>,
    /// Projects.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub projects: Option<u32>,
    /// API keys that are not revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub api_keys: Option<u32>,
}

impl TenantQuotas {
    /// The quotas of a tenant's row. Earlier versions stored any object: other fields are ignored.
    pub(super) fn of(stored: &Value) -> Self {
        let quota = |name: &str| stored[name].as_u64().and_then(|quota| u32::try_from(quota).ok());
        Self { users: quota("users"), projects: quota("projects"), api_keys: quota("api_keys") }
    }

    /// Applies a change to the quotas of a tenant's row.
    pub(super) fn merged(stored: &Value, change: Map<String, Value>) -> Result<Self> {
        merge_typed("quotas", &Self::of(stored).stored()?, change)
    }

    /// As stored in a tenant's row.
    pub(super) fn stored(self) -> Result<Value> {
        serde_json::to_value(self).map_err(Error::internal)
    }

    /// Rejects another user beyond the quota. Concurrent requests may exceed it by their number.
    pub(crate) async fn check_users(&self, tx: &Tx<Tenant>) -> Result<()> {
        let Some(max) = self.users else { return Ok(()) };
        check("users", max, tx.find::<users::entity::Entity>().count().await?)
    }

    /// Rejects a user that was inserted beyond the quota.
    pub(crate) async fn check_provisioned(&self, tx: &Tx<Tenant>) -> Result<()> {
        let Some(max) = self.users else { return Ok(()) };
        check("users", max, tx.find::<users::entity::Entity>().count().await?.saturating_sub(1))
    }

    /// Rejects another project beyond the quota.
    pub(crate) async fn check_projects(&self, tx: &Tx<Tenant>) -> Result<()> {
        let Some(max) = self.projects else { return Ok(()) };
        check("projects", max, tx.find::<projects::entity::Entity>().count().await?)
    }

    /// Rejects another API key beyond the quota.
    pub(crate) async fn check_api_keys(&self, tx: &Tx<Tenant>) -> Result<()> {
        use api_keys::entity::{Column, Entity};
        let Some(max) = self.api_keys else { return Ok(()) };
        check("api_keys", max, tx.find::<Entity>().filter(Column::RevokedAt.is_null()).count().await?)
    }
}

fn check(name: &str, max: u32, existing: u64) -> Result<()> {
    if existing < u64::from(max) {
        return Ok(());
    }
    let message = format!("the operator of this server limits this tenant to {max} {name} (`quotas.{name}`)");
    Err(Error::new(Kind::Forbidden, "quota_exceeded", message))
}

impl Identity {
    /// A tenant's quotas.
    pub(crate) async fn quotas(&self, tenant: TenantId) -> Result<TenantQuotas> {
        let tx = self.db.system_read(&Scope::system(tenant, "quotas")).await?;
        let row = queries::get(&tx, tenant).await?;
        Ok(row.map_or_else(TenantQuotas::default, |row| TenantQuotas::of(&row.quotas)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quotas_of_earlier_versions_are_read_as_far_as_they_are_known() {
        let stored = json!({ "users": 3, "seats": "five", "projects": -1 });
        assert_eq!(TenantQuotas::of(&stored), TenantQuotas { users: Some(3), ..TenantQuotas::default() });
        let change = json!({ "users": null, "api_keys": 2 }).as_object().cloned().expect("an object");
        let merged = TenantQuotas::merged(&stored, change).expect("valid");
        assert_eq!(merged.stored().expect("JSON"), json!({ "api_keys": 2 }));
    }
}
