//! The jobs of analyses.

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_identity::projects::entity as projects;
use loam_jobs::{Handler, JobContext, read_payload};
use loam_kernel::{AiAnalysisResultId, Result, Scope, TenantId, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::claims;
use super::entity::{AnalysisStatus, AnalysisType, Column, Entity};
use crate::Insight;
use crate::stats::{Apart, EndpointStats, Narrow, RangeQuery};

/// One analysis.
pub(super) const RUN: &str = "ai_analysis_results.run";
/// Every hour: what a schedule asks for, and what has been left behind.
pub(crate) const SCHEDULED: &str = "ai_analysis_results.scheduled";

/// An analysis that is pending for so long has lost its job.
const LOST_AFTER: TimeDelta = TimeDelta::hours(6);
/// How far back it is looked for such.
const LOOK_BACK: TimeDelta = TimeDelta::days(30);
/// How long it is remembered which automatic analyses were begun.
const REMEMBER: TimeDelta = TimeDelta::days(1);

/// Requests that an endpoint needs to be looked at.
const MIN_REQUESTS: i64 = 5;

#[derive(Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) analysis_id: AiAnalysisResultId,
}

/// Makes analyses.
pub(crate) struct Run(pub(crate) Insight);

#[async_trait]
impl Handler for Run {
    fn kind(&self) -> &'static str {
        RUN
    }

    fn waits(&self) -> bool {
        true
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let Payload { analysis_id } = read_payload(payload)?;
        let scope = Scope::system(job.tenant, "insight");
        self.0.run_analysis(&scope, analysis_id, job.attempt >= job.max_attempts).await
    }
}

/// Begins the analyses of the slowest endpoints.
pub(crate) struct Scheduled(pub(crate) Insight);

#[async_trait]
impl Handler for Scheduled {
    fn kind(&self) -> &'static str {
        SCHEDULED
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        self.0.sweep_analyses().await?;
        self.0.begin_due(|| job.is_cancelled()).await
    }
}

impl Insight {
    /// Begins the analyses of the projects whose turn it is in this hour.
    pub(super) async fn begin_due(&self, stopped: impl Fn() -> bool + Sync) -> Result<()> {
        let hours = self.0.clock.now().timestamp() / 3600;
        for project in self.watched_projects().await? {
            if stopped() {
                break;
            }
            let every = self.0.analysis.with(project.tenant_id, |settings| settings.scheduled_hours.into());
            if every > 0 && hours % every == 0 {
                self.begin_scheduled(&project, every).await?;
            }
        }
        Ok(())
    }

    /// The projects of all tenants that are watched.
    pub(crate) async fn watched_projects(&self) -> Result<Vec<projects::Model>> {
        let tx = self.0.db.system_read(&Scope::system(TenantId::NIL, "insight")).await?;
        let active = projects::Column::MonitoringStatus.eq(projects::MonitoringStatus::Active);
        tx.find_any::<projects::Entity>().filter(active).all().await
    }

    /// Ends analyses that have lost their job, and forgets which automatic ones were begun yesterday.
    async fn sweep_analyses(&self) -> Result<()> {
        let now = self.0.clock.now();
        let tx = self.0.db.system_write(&Scope::system(TenantId::NIL, "insight")).await?;
        tx.delete_any::<claims::Entity>().filter(claims::Column::CreatedAt.lt(now - REMEMBER)).exec().await?;
        let lost = tx
            .update_all::<Entity>()
            .set(Column::Status, AnalysisStatus::Failed)
            .set(Column::ErrorMessage, "the server died each time it was made; begin it again")
            .set(Column::UpdatedAt, now)
            .set(Column::CompletedAt, now)
            .filter(Column::Status.eq(AnalysisStatus::Pending))
            .filter(Column::Id.lt(first_id_at(now - LOST_AFTER)))
            .filter(Column::Id.gte(first_id_at(now - LOOK_BACK)))
            .exec()
            .await?;
        tx.commit().await?;
        if lost > 0 {
            tracing::warn!(ai_analysis_results = lost, "ended analyses that had lost their job");
        }
        Ok(())
    }

    async fn begin_scheduled(&self, project: &projects::Model, hours: i64) -> Result<()> {
        let scope = Scope::system(project.tenant_id, "insight");
        let settings = self.0.analysis.of(project.tenant_id);
        let Some(model) = settings.model(project.id) else { return Ok(()) };
        let now = self.0.clock.now();
        let range = RangeQuery {
            project_id: project.id,
            from: Some(now - TimeDelta::hours(hours)),
            to: Some(now),
            granularity: None,
        };
        let range = range.range(&self.0.storage.get(), now)?;
        let (all, apart) =
            (Narrow { name: None, versions: &[] }, Apart { time: false, name: true, version: true });
        let mut slowest = self.endpoint_sums(&scope, (project.id, range), all, apart).await?;
        slowest.retain(|endpoint| endpoint.requests >= MIN_REQUESTS);
        let seconds = |one: &EndpointStats| one.avg_duration.unwrap_or_default();
        slowest.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
        let tx = self.0.db.write(&scope).await?;
        for one in slowest.into_iter().take(settings.scheduled_endpoints) {
            let endpoint = one.endpoint.as_deref().unwrap_or_default();
            let record = self.slowest_record(&tx, project.id, endpoint, one.version.as_deref()).await?;
            if let Some(wanted) = record {
                self.begin_analysis(&tx, wanted, AnalysisType::Scheduled, model).await?;
            }
        }
        tx.commit().await
    }
}
