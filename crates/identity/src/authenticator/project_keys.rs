//! Ingest keys of projects, which can only send telemetry.

use std::collections::HashMap;
use std::sync::Arc;

use loam_db::{System, Tx};
use loam_kernel::{Actor, Error, Permissions, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};

use super::credential::{Credential, Source};
use super::keys::PRELOAD;
use super::{Authenticator, Digest};
use crate::projects::entity::{Column, Entity, Model};
use crate::projects::keys::SEND;
use crate::projects::retired;
use crate::projects::service::MonitoringConfig;
use crate::tenants::entity::TenantStatus;

impl Authenticator {
    /// The credential of an ingest key, also of a replaced one in its grace period.
    pub(super) async fn load_project_key(
        &self,
        tx: &Tx<System>,
        digest: Digest,
    ) -> Result<Option<Credential>> {
        let current = tx.find_any::<Entity>().filter(Column::KeyHash.eq(digest.to_vec())).one().await?;
        let (project, expires_at) = match current {
            Some(row) => (Some(row), None),
            None => {
                let hash = retired::Column::KeyHash.eq(digest.to_vec());
                let Some(key) = tx.find_any::<retired::Entity>().filter(hash).one().await? else {
                    return Ok(None);
                };
                let project = tx.find_any::<Entity>().filter(Column::TenantId.eq(key.tenant_id));
                (project.filter(Column::Id.eq(key.project_id)).one().await?, Some(key.expires_at))
            }
        };
        let Some(project) = project else { return Ok(None) };
        let Some(status) = self.tenant_status(tx, project.tenant_id).await? else { return Ok(None) };
        let mut credential = credential(&project, status)?;
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
            self.cache(&self.known, digest, &Arc::new(credential(&row, status)?), changes);
        }
        Ok(())
    }
}

fn credential(project: &Model, status: TenantStatus) -> Result<Credential> {
    let permissions = Permissions::new([SEND.to_owned()]);
    let mut scope = Scope::new(project.tenant_id, Actor::ProjectKey(project.id), permissions);
    scope.project = Some(project.id);
    let config: MonitoringConfig = serde_json::from_value(project.config.clone()).map_err(Error::internal)?;
    let mut credential = Credential::new(Source::Project, scope, status);
    credential.allowed_origins = config.allowed_origins.map(Into::into);
    Ok(credential)
}
