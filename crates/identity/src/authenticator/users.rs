//! The current permissions of a user.

use loam_db::{System, Tx};
use loam_kernel::{Permissions, Result, TenantId, UserId};
use sea_orm::{ColumnTrait, QueryFilter};

use super::Authenticator;
use crate::roles::{built_in, rights};
use crate::tenants;
use crate::tenants::entity::TenantStatus;
use crate::users::entity::{Column, Entity, Model};

/// An active user, with the permissions of the roles.
pub(super) struct ActiveUser {
    pub(super) user: Model,
    pub(super) permissions: Permissions,
    pub(super) operator: bool,
}

impl Authenticator {
    /// The user, if it exists and is active.
    pub(super) async fn active_user(
        &self,
        tx: &Tx<System>,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<ActiveUser>> {
        let find = tx.find_any::<Entity>().filter(Column::TenantId.eq(tenant)).filter(Column::Id.eq(user));
        let Some(user) = find.one().await?.filter(|user| user.is_active) else { return Ok(None) };
        let names = rights::names(&user.roles)?;
        let permissions = rights::of_any(tx, tenant, &names).await?;
        let operator = self.is_home(tenant) && names.iter().any(|name| name == built_in::OPERATOR);
        Ok(Some(ActiveUser { user, permissions, operator }))
    }

    /// Whether this is the default tenant.
    pub(super) fn is_home(&self, tenant: TenantId) -> bool {
        self.identity.default_tenant() == Some(tenant)
    }

    pub(super) async fn tenant_status(
        &self,
        tx: &Tx<System>,
        tenant: TenantId,
    ) -> Result<Option<TenantStatus>> {
        Ok(tenants::queries::get(tx, tenant).await?.map(|tenant| tenant.status))
    }
}
