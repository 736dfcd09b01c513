//! What a user may do at this moment.

use loam_db::{System, Tx};
use loam_kernel::{Permissions, Result, TenantId, UserId};
use sea_orm::{ColumnTrait, QueryFilter};

use super::Authenticator;
use crate::roles::{built_in, rights};
use crate::tenants;
use crate::tenants::entity::TenantStatus;
use crate::users::entity::{Column, Entity, Model};

/// A user who works, and what the roles allow.
pub(super) struct Standing {
    pub(super) user: Model,
    pub(super) permissions: Permissions,
    pub(super) operator: bool,
}

impl Authenticator {
    /// The user, if there is such a one and it works.
    pub(super) async fn standing(
        &self,
        tx: &Tx<System>,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<Standing>> {
        let find = tx.find_any::<Entity>().filter(Column::TenantId.eq(tenant)).filter(Column::Id.eq(user));
        let Some(user) = find.one().await?.filter(|user| user.is_active) else { return Ok(None) };
        let names = rights::names(&user.roles)?;
        let permissions = rights::of_any(tx, tenant, &names).await?;
        let operator = self.is_home(tenant) && names.iter().any(|name| name == built_in::OPERATOR);
        Ok(Some(Standing { user, permissions, operator }))
    }

    /// Whether this is the operators' tenant.
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
