//! The rules of roles.

use loam_db::{Tenant, Tx};
use loam_kernel::{
    Error, ExpectedVersion, Kind, Page, PageQuery, Result, RoleId, Scope, TenantId, bounded, slug,
};
use loam_platform::changes::{Audited, lock_version};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::entity::{ActiveModel, Column, Entity, Model};
use super::{built_in, ownership};
use crate::{Identity, permissions, token_issuers, users};

/// Maximum number of users that an error names.
const NAMED: u64 = 5;

/// A new role.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleCreate {
    /// Name: lower-case letters, digits, `-`, `_`, `.`; unique in the tenant, immutable.
    pub name: String,
    /// Description.
    #[serde(default)]
    pub description: String,
    /// Permissions, limited to your own; `*` for all.
    pub permissions: Vec<String>,
}

/// Filters for roles.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RoleFilter {
    /// Only the role with this name.
    pub name: Option<String>,
}

/// A change of a role: omitted fields stay as they are.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleUpdate {
    /// Description.
    pub description: Option<String>,
    /// Permissions, limited to your own.
    pub permissions: Option<Vec<String>>,
}

/// A role of either kind.
pub enum Role {
    /// Built-in, with its index.
    BuiltIn(usize),
    /// The tenant's own.
    Own(Model),
}

impl Role {
    /// Its id.
    pub fn id(&self) -> RoleId {
        match self {
            Self::BuiltIn(place) => built_in::id(*place),
            Self::Own(row) => row.id,
        }
    }
}

fn built_in_with(id: RoleId) -> Option<usize> {
    (0..built_in::ALL.len()).find(|place| built_in::id(*place) == id)
}

impl Identity {
    /// The tenant's own roles, newest first, then the built-in ones.
    pub async fn list_roles(
        &self,
        scope: &Scope,
        filter: &RoleFilter,
        page: &PageQuery,
    ) -> Result<Page<Role>> {
        let (limit, after) = (page.limit()?, page.after()?);
        let tx = self.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(after) = after {
            find = find.filter(Column::Id.lt(after));
        }
        if let Some(name) = &filter.name {
            find = find.filter(Column::Name.eq(name));
        }
        let rows = find.order_by_desc(Column::Id).limit(limit + 1).all().await?;
        let mut roles: Vec<Role> = rows.into_iter().map(Role::Own).collect();
        let is_named =
            |place: &usize| filter.name.as_ref().is_none_or(|name| built_in::ALL[*place].name == name);
        let built_in = (0..built_in::ALL.len()).filter(is_named).map(Role::BuiltIn);
        roles.extend(built_in.filter(|role| after.is_none_or(|after| role.id().0 < after)));
        Ok(Page::from_rows(roles, limit, |role| role.id().0))
    }

    /// Returns a role.
    pub async fn get_role(&self, scope: &Scope, id: RoleId) -> Result<Role> {
        if let Some(place) = built_in_with(id) {
            return Ok(Role::BuiltIn(place));
        }
        self.db.read(scope).await?.get::<Entity>(id).await?.map(Role::Own).ok_or_else(Entity::missing)
    }

    /// Creates a role.
    pub async fn create_role(&self, scope: &Scope, new: RoleCreate) -> Result<Model> {
        slug("name", &new.name, 50)?;
        check_description(&new.description)?;
        if built_in::find(&new.name).is_some() {
            return Err(Error::already_exists("name", "a built-in role with this name already exists"));
        }
        let allowed = check_permissions(scope, new.permissions)?;
        let now = self.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.clock.id()),
            name: Set(new.name),
            description: Set(new.description),
            permissions: Set(json!(allowed)),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.db.write(scope).await?;
        let role = tx
            .insert(row)
            .await
            .map_err(loam_db::already_exists("name", "a role with this name already exists"))?;
        let notice = self.changes.record_row::<Entity>(&tx, "create", &role).await?;
        self.changes.commit(tx, notice).await?;
        Ok(role)
    }

    /// Changes a role. The new permissions apply to its users within a second.
    pub async fn update_role(
        &self,
        scope: &Scope,
        id: RoleId,
        version: &ExpectedVersion,
        new: RoleUpdate,
    ) -> Result<Model> {
        refuse_built_in(id)?;
        new.description.as_deref().map_or(Ok(()), check_description)?;
        let allowed = new.permissions.map(|names| check_permissions(scope, names)).transpose()?;
        let tx = self.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        let (name, was_everything) = (old.name.clone(), ownership::is_everything(&old.permissions));
        let mut row = old.into_active_model();
        new.description.map(|text| row.description = Set(text));
        allowed.map(|names| row.permissions = Set(json!(names)));
        let role = self.changes.save(&tx, row).await?;
        let notice = self.changes.record_row::<Entity>(&tx, "update", &role).await?;
        // after the change is recorded, as for users: `check_owner_left`
        let gave_owners = was_everything && !ownership::is_everything(&role.permissions);
        if gave_owners && !active_holders(&tx, &name).await?.is_empty() && !self.has_owner(&tx).await? {
            let what = "only this role gives the tenant's last active owners all permissions";
            return Err(ownership::last(built_in::OWNER, what));
        }
        self.changes.commit(tx, notice).await?;
        Ok(role)
    }

    /// Deletes a role that is not in use.
    pub async fn delete_role(&self, scope: &Scope, id: RoleId) -> Result<()> {
        refuse_built_in(id)?;
        let tx = self.db.write(scope).await?;
        let role = tx.get_locked::<Entity>(id).await?.ok_or_else(Entity::missing)?;
        // a concurrent assignment either waits for the row's lock, or has committed before it
        tx.delete::<Entity>().filter(Column::Id.eq(id)).exec().await?;
        let holders = holders(&tx, &role.name).await?;
        if !holders.is_empty() {
            let message = format!("the role is in use: {}; remove it there first", holders.join(", "));
            return Err(Error::new(Kind::Conflict, "in_use", message));
        }
        let notice = self.changes.record_row::<Entity>(&tx, "delete", &role).await?;
        self.changes.commit(tx, notice).await
    }
}

/// The names of some users and token issuers with the role.
async fn holders(tx: &Tx<Tenant>, name: &str) -> Result<Vec<String>> {
    let names = [name.to_owned()];
    let find = tx.find::<users::entity::Entity>().holding(users::entity::Column::Roles, &names);
    let users = find.order_by_asc(users::entity::Column::Username).limit(NAMED).all().await?;
    let find = tx.find::<token_issuers::entity::Entity>();
    let issuers = find.filter(token_issuers::entity::Column::Role.eq(name)).limit(NAMED).all().await?;
    let users = users.into_iter().map(|user| format!("user `{}`", user.username));
    Ok(users.chain(issuers.into_iter().map(|issuer| format!("token issuer `{}`", issuer.name))).collect())
}

async fn active_holders(tx: &Tx<Tenant>, name: &str) -> Result<Vec<users::entity::Model>> {
    let find = tx.find::<users::entity::Entity>().holding(users::entity::Column::Roles, &[name.to_owned()]);
    find.filter(users::entity::Column::IsActive.eq(true)).limit(1).all().await
}

fn refuse_built_in(id: RoleId) -> Result<()> {
    match built_in_with(id) {
        Some(_) => Err(Error::new(
            Kind::Conflict,
            "built_in_role",
            "a built-in role can't be changed; create your own role instead",
        )),
        None => Ok(()),
    }
}

fn check_permissions(scope: &Scope, mut names: Vec<String>) -> Result<Vec<String>> {
    permissions::check("permissions", &names)?;
    let lacking = |lacking: String| Error::forbidden(&lacking).with_param("permissions");
    scope.permissions().cover(&names).map_err(lacking)?;
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn check_description(text: &str) -> Result<()> {
    if text.is_empty() { Ok(()) } else { bounded("description", text, 1000) }
}

impl Audited for Entity {
    const NAME: &'static str = "role";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(role: &Model) -> Value {
        json!({ "name": role.name, "description": role.description, "permissions": role.permissions })
    }
}
