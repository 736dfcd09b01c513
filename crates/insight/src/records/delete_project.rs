//! Deletes the telemetry of a deleted project. Its statistics, rules and suggestions are deleted with its row.

use async_trait::async_trait;
use loam_db::TenantEntity;
use loam_identity::projects::deleted::{DELETE_TELEMETRY, DeletedProject};
use loam_jobs::{Handler, JobContext, read_payload};
use loam_kernel::{ProjectId, Result};
use loam_platform::error_logs::entity as errors;
use sea_orm::{ColumnTrait, Condition};
use serde_json::Value;
use uuid::Uuid;

use crate::analyses::entity as analyses;
use crate::call_trees::entity as trees;
use crate::performance_metrics::entity as metrics;
use crate::performance_records::entity as records;
use crate::record_functions::entity as functions;
use crate::stats::Stats;

/// The job that deletes a deleted project's telemetry.
pub(crate) struct DeleteTelemetry(pub(crate) Stats);

impl DeleteTelemetry {
    async fn rows<E: TenantEntity>(
        &self,
        job: &JobContext,
        column: E::Column,
        project: ProjectId,
    ) -> Result<u64> {
        let scope = job.scope();
        let of_project = Condition::all().add(E::TENANT.eq(scope.tenant())).add(column.eq(project));
        self.0.0.db.delete_old::<E, Uuid>(&scope, of_project, E::ID, || job.is_cancelled()).await
    }
}

#[async_trait]
impl Handler for DeleteTelemetry {
    fn kind(&self) -> &'static str {
        DELETE_TELEMETRY
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let DeletedProject { project_id } = read_payload(payload)?;
        let mut rows = self.rows::<records::Entity>(job, records::Column::ProjectId, project_id).await?;
        rows += self.rows::<functions::Entity>(job, functions::Column::ProjectId, project_id).await?;
        rows += self.rows::<trees::Entity>(job, trees::Column::ProjectId, project_id).await?;
        rows += self.rows::<metrics::Entity>(job, metrics::Column::ProjectId, project_id).await?;
        rows += self.rows::<analyses::Entity>(job, analyses::Column::ProjectId, project_id).await?;
        rows += self.rows::<errors::Entity>(job, errors::Column::ProjectId, project_id).await?;
        if rows > 0 {
            tracing::info!(project.id = %project_id, rows, "telemetry of a deleted project deleted");
        }
        Ok(())
    }
}
