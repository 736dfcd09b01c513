//! Names of keys, users and projects, for what shows them beside their ids; also of what is deleted since.

use std::collections::HashMap;

use loam_db::{Tenant, Tx};
use loam_kernel::{ApiKeyId, ProjectId, Result, TenantId, UserId};
use loam_platform::audit_logs::entity as audit;
use sea_orm::{ColumnTrait, DerivePartialModel, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use uuid::Uuid;

use crate::{api_keys, projects, tenants, users};

/// Ids in one statement.
const CHUNK: usize = 1000;

/// The ids whose names are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Tenants: the caller's own has a name.
    pub tenants: Vec<TenantId>,
    /// API keys.
    pub api_keys: Vec<ApiKeyId>,
    /// Users.
    pub users: Vec<UserId>,
    /// Projects.
    pub projects: Vec<ProjectId>,
}

/// Names by id. A deleted user has none, as their personal data is erased.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<Uuid, String>);

#[derive(FromQueryResult)]
struct Named {
    id: Uuid,
    name: String,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "audit::Entity")]
struct Change {
    resource_id: String,
    changes: Value,
}

impl Names {
    /// Reads names.
    ///
    /// # Errors
    /// On a database error.
    pub async fn read(tx: &Tx<Tenant>, wanted: &Wanted) -> Result<Self> {
        let mut names = Self::default();
        if wanted.tenants.contains(&tx.scope().tenant()) {
            let own = tx.find::<tenants::entity::Entity>().one().await?;
            names.0.extend(own.map(|tenant| (tenant.id.0, tenant.name)));
        }
        for ids in wanted.api_keys.chunks(CHUNK) {
            use api_keys::entity::{Column, Entity};
            let find = tx.find::<Entity>().filter(Column::Id.is_in(ids.iter().copied())).select_only();
            names.add(find.columns([Column::Id, Column::Name]).into().await?);
        }
        for ids in wanted.users.chunks(CHUNK) {
            use users::entity::{Column, Entity};
            let find = tx.find::<Entity>().filter(Column::Id.is_in(ids.iter().copied())).select_only();
            names.add(find.column(Column::Id).column_as(Column::Username, "name").into().await?);
        }
        for ids in wanted.projects.chunks(CHUNK) {
            use projects::entity::{Column, Entity};
            let find = tx.find::<Entity>().filter(Column::Id.is_in(ids.iter().copied())).select_only();
            names.add(find.columns([Column::Id, Column::Name]).into().await?);
        }
        names.add_deleted(tx, "api_keys", wanted.api_keys.iter().map(|id| id.0)).await?;
        names.add_deleted(tx, "projects", wanted.projects.iter().map(|id| id.0)).await?;
        Ok(names)
    }

    /// The name of an id; none if nothing has this id, or if it is erased.
    pub fn get(&self, id: impl Into<Uuid>) -> Option<String> {
        self.0.get(&id.into()).cloned()
    }

    fn add(&mut self, rows: Vec<Named>) {
        self.0.extend(rows.into_iter().map(|row| (row.id, row.name)));
    }

    /// The audit trail has the names of what is deleted.
    async fn add_deleted(
        &mut self,
        tx: &Tx<Tenant>,
        resource_type: &str,
        ids: impl Iterator<Item = Uuid>,
    ) -> Result<()> {
        let missing: Vec<String> =
            ids.filter(|id| !self.0.contains_key(id)).map(|id| id.to_string()).collect();
        for ids in missing.chunks(CHUNK) {
            let changes: Vec<Change> = tx
                .find::<audit::Entity>()
                .filter(audit::Column::ResourceType.eq(resource_type))
                .filter(audit::Column::ResourceId.is_in(ids.iter().map(String::as_str)))
                .order_by_asc(audit::Column::Id)
                .partial()
                .await?;
            // the last name counts
            self.0.extend(changes.into_iter().filter_map(|row| {
                let id = row.resource_id.parse().ok()?;
                Some((id, row.changes["name"].as_str()?.to_owned()))
            }));
        }
        Ok(())
    }
}
