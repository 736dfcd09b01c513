//! Projects as what takes in their telemetry sees them: in memory, as each request asks.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_kernel::{Error, ProjectId, Result, Scope, TenantId};
use loam_platform::cache::{Cache, CacheSpec};
use loam_platform::notices::Notices;
use sea_orm::{ColumnTrait, QueryFilter};

use super::entity::{Column, Entity, Model, MonitoringStatus};
use super::service::MonitoringConfig;
use crate::Identity;

const CACHE: CacheSpec =
    CacheSpec { name: "projects", capacity: 10_000, ttl: Duration::from_mins(30), topics: &["projects"] };

/// Whether and how an application is watched.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The application.
    pub id: ProjectId,
    /// Whether it is watched.
    pub status: MonitoringStatus,
    /// How.
    pub config: MonitoringConfig,
    /// When the project was changed.
    pub updated_at: DateTime<Utc>,
}

/// Knows projects. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Directory(Cache<(TenantId, ProjectId), Option<Arc<Watched>>>);

impl Directory {
    pub(crate) fn new(notices: &Notices) -> Self {
        Self(Cache::new(CACHE, notices, |notice| Some((notice.tenant, ProjectId(notice.subject)))))
    }
}

impl Identity {
    /// Whether and how a project is watched; none when there is no such project in the tenant.
    pub async fn watched_project(&self, tenant: TenantId, id: ProjectId) -> Result<Option<Arc<Watched>>> {
        self.directory.0.get((tenant, id), async || read(&self.db, tenant, id).await).await
    }

    /// Writes down when projects last sent something, in microseconds since 1970. It is no change of the project: nobody
    /// is told, and its version stays.
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

async fn read(db: &Db, tenant: TenantId, id: ProjectId) -> Result<Option<Arc<Watched>>> {
    let row = db.read(&Scope::system(tenant, "telemetry")).await?.get::<Entity>(id).await?;
    row.map(|row: Model| {
        Ok(Arc::new(Watched {
            id: row.id,
            status: row.monitoring_status,
            config: serde_json::from_value(row.config).map_err(Error::internal)?,
            updated_at: row.updated_at,
        }))
    })
    .transpose()
}
