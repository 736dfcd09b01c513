//! Cached projects for telemetry ingestion, which needs them for each request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_db::{Db, System, Tx};
use loam_kernel::{Error, ProjectId, Result, Scope, TenantId};
use loam_platform::cache::{Cache, CacheSpec};
use loam_platform::notices::Notices;
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::entity::{Column, Entity, Model, MonitoringStatus};
use super::service::MonitoringConfig;
use crate::Identity;

const CACHE: CacheSpec =
    CacheSpec { name: "projects", capacity: 10_000, ttl: Duration::from_mins(30), topics: &["projects"] };

/// The monitoring settings of a project.
#[derive(Clone, Debug)]
pub struct MonitoredProject {
    /// Tenant ID.
    pub tenant: TenantId,
    /// Project ID.
    pub id: ProjectId,
    /// Monitoring status.
    pub status: MonitoringStatus,
    /// Monitoring configuration.
    pub config: MonitoringConfig,
    /// Time of the project's last change.
    pub updated_at: DateTime<Utc>,
}

/// A cache of projects. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Directory(Cache<(TenantId, ProjectId), Option<Arc<MonitoredProject>>>);

impl Directory {
    pub(crate) fn new(notices: &Notices) -> Self {
        Self(Cache::new(CACHE, notices, |notice| Some((notice.tenant, ProjectId(notice.subject)))))
    }
}

/// The seconds from which the existing ones of these projects count a request as slow.
///
/// # Errors
/// On a database error.
pub async fn response_time_thresholds(
    tx: &Tx<System>,
    projects: &[(TenantId, ProjectId)],
) -> Result<HashMap<(TenantId, ProjectId), f64>> {
    let keys: Vec<(TenantId, Uuid)> = projects.iter().map(|(tenant, project)| (*tenant, project.0)).collect();
    let rows = tx.get_many::<Entity>(&keys).await?.into_iter();
    let thresholds = rows.map(|project| {
        let config: MonitoringConfig = serde_json::from_value(project.config).unwrap_or_default();
        ((project.tenant_id, project.id), config.alert_threshold.response_time)
    });
    Ok(thresholds.collect())
}

impl Identity {
    /// The monitoring settings of a project; none if the tenant has no such project.
    pub async fn monitored_project(
        &self,
        tenant: TenantId,
        id: ProjectId,
    ) -> Result<Option<Arc<MonitoredProject>>> {
        self.directory.0.get((tenant, id), async || read(&self.db, tenant, id).await).await
    }

    /// The projects of all tenants that are monitored.
    pub async fn monitored_projects(&self) -> Result<Vec<MonitoredProject>> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "telemetry")).await?;
        let active = Column::MonitoringStatus.eq(MonitoringStatus::Active);
        let rows = tx.find_any::<Entity>().filter(active).all().await?;
        rows.into_iter().map(monitored).collect()
    }

    /// Stores when projects last sent telemetry, in microseconds since 1970. It does not count as a change of the project:
    /// there is no notice, and the version stays.
    pub async fn write_activity(&self, seen: &[(TenantId, ProjectId, i64)]) -> Result<()> {
        let tx = self.db.system_write(&Scope::system(TenantId::NIL, "telemetry")).await?;
        for (tenant, id, at) in seen {
            tx.update_all::<Entity>()
                .set(Column::LastActivity, DateTime::from_timestamp_micros(*at))
                .filter(Column::TenantId.eq(*tenant))
                .filter(Column::Id.eq(*id))
                .exec()
                .await?;
        }
        tx.commit().await
    }
}

async fn read(db: &Db, tenant: TenantId, id: ProjectId) -> Result<Option<Arc<MonitoredProject>>> {
    let row = db.read(&Scope::system(tenant, "telemetry")).await?.get::<Entity>(id).await?;
    row.map(|row| monitored(row).map(Arc::new)).transpose()
}

fn monitored(row: Model) -> Result<MonitoredProject> {
    Ok(MonitoredProject {
        tenant: row.tenant_id,
        id: row.id,
        status: row.monitoring_status,
        config: serde_json::from_value(row.config).map_err(Error::internal)?,
        updated_at: row.updated_at,
    })
}
