//! Permissions of roles: the union of the built-in ones and the tenant's own.

use loam_db::{System, Tenant, Tx};
use loam_kernel::{Error, Permissions, Result, TenantId};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::Value;

use super::{built_in, entity};
use crate::{Identity, permissions, users};

/// Whether the rows are locked until the transaction ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locked {
    /// They are.
    Yes,
    /// They are not: the check is repeated later.
    No,
}

/// Names from a JSON column.
pub(crate) fn names(kept: &Value) -> Result<Vec<String>> {
    serde_json::from_value(kept.clone()).map_err(Error::internal)
}

fn union(names: &[String], rows: Vec<entity::Model>) -> Result<Permissions> {
    let built_in =
        names.iter().filter_map(|name| built_in::find(name)).flat_map(built_in::BuiltIn::permissions);
    let mut all: Vec<String> = built_in.collect();
    for row in rows {
        all.extend(self::names(&row.permissions)?);
    }
    all.sort_unstable();
    all.dedup();
    // `*` alone stands for all permissions and is found first
    Ok(if all.iter().any(|name| name == "*") { Permissions::all() } else { Permissions::new(all) })
}

fn own(names: &[String]) -> Vec<&String> {
    names.iter().filter(|name| built_in::find(name).is_none()).collect()
}

/// The permissions of these roles in any tenant; an unknown name grants nothing.
pub(crate) async fn of_any(tx: &Tx<System>, tenant: TenantId, names: &[String]) -> Result<Permissions> {
    let own = own(names);
    if own.is_empty() {
        return union(names, Vec::new());
    }
    let find = tx.find_any::<entity::Entity>().filter(entity::Column::TenantId.eq(tenant));
    union(names, find.filter(entity::Column::Name.is_in(own)).all().await?)
}

/// The same in the transaction's tenant.
pub(crate) async fn of(tx: &Tx<Tenant>, names: &[String]) -> Result<Permissions> {
    let own = own(names);
    if own.is_empty() {
        return union(names, Vec::new());
    }
    union(names, tx.find::<entity::Entity>().filter(entity::Column::Name.is_in(own)).all().await?)
}

impl Identity {
    /// Rejects unknown roles, naming the index, and roles that exceed the caller's permissions: nobody grants more than they
    /// have, and only operators appoint operators. With `Locked::Yes` the tenant's own roles are locked until the transaction
    /// ends, so that none is deleted meanwhile.
    pub(crate) async fn check_roles(
        &self,
        tx: &Tx<Tenant>,
        param: &str,
        names: &[String],
        locked: Locked,
    ) -> Result<()> {
        let own = own(names);
        let rows = match own.is_empty() {
            true => Vec::new(),
            false => {
                let find = tx.find::<entity::Entity>().filter(entity::Column::Name.is_in(own));
                let find = if locked == Locked::Yes { find.locked() } else { find };
                find.all().await?
            }
        };
        let known =
            |name: &String| built_in::find(name).is_some() || rows.iter().any(|row| row.name == *name);
        if let Some(i) = names.iter().position(|name| !known(name)) {
            let message = "unknown role; `GET /api/v1/roles` lists the roles";
            return Err(Error::invalid(format!("{param}[{i}]"), message));
        }
        if names.iter().any(|name| name == built_in::OPERATOR) {
            self.require_operator(tx.scope())?;
        }
        let lacking = |lacking: String| Error::forbidden(&lacking).with_param(param);
        tx.scope().permissions().cover(union(names, rows)?.names()).map_err(lacking)
    }

    /// Rejects an operation that lets the caller act as another user, such as setting the password, if the user can access
    /// own rows that the caller can't.
    pub(crate) async fn check_becoming(&self, tx: &Tx<Tenant>, user: &users::entity::Model) -> Result<()> {
        let scope = tx.scope();
        let allowed = of(tx, &names(&user.roles)?).await?;
        let beyond = permissions::ownership_violation(scope.permissions(), allowed.names());
        match beyond.filter(|_| scope.user.is_some_and(|own| own != user.id)) {
            Some((all, _)) => Err(Error::forbidden(all)),
            None => Ok(()),
        }
    }

    /// Rejects a change of a user who has more permissions than the caller: setting a password or removing a role requires
    /// the permissions of that role.
    pub(crate) async fn check_above(&self, tx: &Tx<Tenant>, user: &users::entity::Model) -> Result<()> {
        let names = names(&user.roles)?;
        if names.iter().any(|name| name == built_in::OPERATOR) {
            self.require_operator(tx.scope())?;
        }
        tx.scope().permissions().cover(of(tx, &names).await?.names()).map_err(|lacking| {
            let message =
                format!("this user has more permissions than this credential, which lacks `{lacking}`");
            Error::new(loam_kernel::Kind::Forbidden, "missing_permission", message)
        })
    }
}
