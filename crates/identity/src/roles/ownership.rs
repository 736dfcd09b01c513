//! A tenant with an owner always keeps at least one, and the instance at least one operator.

use loam_db::{Tenant, Tx};
use loam_kernel::{Error, Kind, Result};
use sea_orm::{ColumnTrait, QueryFilter, QuerySelect};
use serde_json::Value;

use super::{built_in, entity, rights};
use crate::{Identity, users};

/// Whether a role's permissions include all.
pub(crate) fn is_everything(permissions: &Value) -> bool {
    permissions.as_array().is_some_and(|names| names.iter().any(|name| name == "*"))
}

/// The names of the roles with all permissions.
async fn owning(tx: &Tx<Tenant>) -> Result<Vec<String>> {
    let all = ["*".to_owned()];
    let rows = tx.find::<entity::Entity>().holding(entity::Column::Permissions, &all).all().await?;
    let built_in = [built_in::OWNER.to_owned(), built_in::OPERATOR.to_owned()];
    Ok(built_in.into_iter().chain(rows.into_iter().map(|row| row.name)).collect())
}

async fn somebody_has(tx: &Tx<Tenant>, roles: &[String]) -> Result<bool> {
    let find = tx.find::<users::entity::Entity>().holding(users::entity::Column::Roles, roles);
    Ok(find.filter(users::entity::Column::IsActive.eq(true)).limit(1).one().await?.is_some())
}

impl Identity {
    /// Whether an active user of the tenant has all permissions.
    pub(crate) async fn has_owner(&self, tx: &Tx<Tenant>) -> Result<bool> {
        somebody_has(tx, &owning(tx).await?).await
    }

    /// Rejects a change of a user in this transaction that removes the tenant's last owner, or the instance's last operator.
    /// Call it after the change was recorded: from then on every other change of the tenant waits, so that two changes can't
    /// each rely on the other's owner.
    pub(crate) async fn check_owner_left(
        &self,
        tx: &Tx<Tenant>,
        before: &users::entity::Model,
    ) -> Result<()> {
        if !before.is_active {
            return Ok(());
        }
        let had = rights::names(&before.roles)?;
        let owning = owning(tx).await?;
        if had.iter().any(|name| owning.contains(name)) && !somebody_has(tx, &owning).await? {
            return Err(last("owner", "this is the tenant's last active user with all permissions"));
        }
        let operator = [built_in::OPERATOR.to_owned()];
        let is_home = Some(tx.scope().tenant()) == self.default_tenant();
        if is_home && had.contains(&operator[0]) && !somebody_has(tx, &operator).await? {
            return Err(last("operator", "this is the last active operator"));
        }
        Ok(())
    }
}

/// The error for removing the last holder of a role.
pub(crate) fn last(role: &str, what: &str) -> Error {
    let message = format!("{what}; assign the role `{role}` to another user first");
    Error::new(Kind::Conflict, "last_owner", message)
}
