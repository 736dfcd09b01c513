//! Ingest keys of projects, which can only send telemetry.

use std::collections::HashMap;
use std::sync::Arc;

use loam_db::{System, Tx};
use loam_kernel::{Actor, Error, Permissions, ProjectId, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::credential::{Credential, Source};
use super::keys::PRELOAD;
use super::{Authenticator, Digest};
use crate::projects::entity::{Column, Entity};
use crate::projects::keys::SEND;
use crate::projects::retired;
use crate::tenants::entity::TenantStatus;

impl Authenticator {
    /// The credential of an ingest key, also of a replaced one in its grace period.
    pub(super) async fn load_project_key(
        &self,
        tx: &Tx<System>,
        digest: Digest,
    ) -> Result<Option<Credential>> {
        let current = tx.find_any::<Entity>().filter(Column::KeyHash.eq(digest.to_vec())).one().await?;
        let (tenant, project, expires_at) = match current {
            Some(row) => (row.tenant_id, row.id, None),
            None => {
                let hash = retired::Column::KeyHash.eq(digest.to_vec());
                let Some(row) = tx.find_any::<retired::Entity>().filter(hash).one().await? else {
                    return Ok(None);
                };
                (row.tenant_id, row.project_id, Some(row.expires_at))
            }
        };
        let Some(status) = self.tenant_status(tx, tenant).await? else { return Ok(None) };
        let mut credential = credential(tenant, project, status);
        credential.expires_at = expires_at;
        Ok(Some(credential))
    }

    pub(super) async fn preload_project_keys(&self, tx: &Tx<System>, changes: u64) -> Result<()> {
        let newest = tx.find_any::<Entity>().order_by_desc(Column::Id).limit(PRELOAD).all().await?;
        let mut statuses: HashMap<TenantId, Option<TenantStatus>> = HashMap::new();
        for row in newest {
            let status = match statuses.get(&row.tenant_id) {
                Some(status) => *status,
                None => {
                    let status = self.tenant_status(tx, row.tenant_id).await?;
                    statuses.insert(row.tenant_id, status);
                    status
                }
            };
            let Some(status) = status else { continue };
            let digest = Digest::try_from(row.key_hash.as_slice()).map_err(Error::internal)?;
            self.cache(&self.known, digest, &Arc::new(credential(row.tenant_id, row.id, status)), changes);
        }
        Ok(())
    }
}

fn credential(tenant: TenantId, project: ProjectId, status: TenantStatus) -> Credential {
    let permissions = Permissions::new([SEND.to_owned()]);
    let mut scope = Scope::new(tenant, Actor::ProjectKey(project), permissions);
    scope.project = Some(project);
    Credential::new(Source::Project, scope, status)
}
