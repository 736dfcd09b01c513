//! The jobs of analyses.

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_identity::projects::MonitoredProject;
use loam_jobs::{Handler, JobContext, read_payload};
use loam_kernel::{AiAnalysisResultId, Result, Scope, TenantId, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::auto_analyses;
use super::entity::{AnalysisStatus, AnalysisType, Column, Entity};
use crate::analyses::Analyses;
use crate::stats::{EndpointStats, Filter, GroupBy, RangeQuery};

/// Runs one analysis.
pub(super) const RUN: &str = "ai_analysis_results.run";
/// Hourly: enqueues scheduled analyses and cleans up lost ones.
pub(crate) const SCHEDULED: &str = "ai_analysis_results.scheduled";

/// An analysis that is pending for longer has lost its job.
const LOST_AFTER: TimeDelta = TimeDelta::hours(6);
/// How far back lost analyses are searched.
const LOOKBACK: TimeDelta = TimeDelta::days(30);
/// Retention of the record of automatic analyses.
const AUTO_ANALYSES_RETENTION: TimeDelta = TimeDelta::days(1);

/// Minimum number of requests for an endpoint to be analysed.
const MIN_REQUESTS: i64 = 5;

#[derive(Serialize, Deserialize)]
pub(super) struct Payload {
    pub(super) analysis_id: AiAnalysisResultId,
}

/// Runs an analysis.
pub(crate) struct Run(pub(crate) Analyses);

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

/// Enqueues the analyses of the slowest endpoints.
pub(crate) struct Scheduled(pub(crate) Analyses);

#[async_trait]
impl Handler for Scheduled {
    fn kind(&self) -> &'static str {
        SCHEDULED
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        self.0.clean_up_analyses().await?;
        self.0.enqueue_due_analyses(|| job.is_cancelled()).await
    }
}

impl Analyses {
    /// Enqueues the analyses of the projects that are due in this hour.
    pub(super) async fn enqueue_due_analyses(&self, stopped: impl Fn() -> bool + Sync) -> Result<()> {
        let hours = self.0.clock.now().timestamp() / 3600;
        for project in self.0.identity.monitored_projects().await? {
            if stopped() {
                break;
            }
            let every = self.0.analysis.with(project.tenant, |settings| settings.scheduled_hours.into());
            if every > 0 && hours % every == 0 {
                self.enqueue_scheduled_analyses(&project, every).await?;
            }
        }
        Ok(())
    }

    /// Fails analyses that have lost their job, and deletes the record of older automatic ones.
    async fn clean_up_analyses(&self) -> Result<()> {
        let now = self.0.clock.now();
        let tx = self.0.db.system_write(&Scope::system(TenantId::NIL, "insight")).await?;
        tx.delete_any::<auto_analyses::Entity>()
            .filter(auto_analyses::Column::CreatedAt.lt(now - AUTO_ANALYSES_RETENTION))
            .exec()
            .await?;
        let lost = tx
            .update_all::<Entity>()
            .set(Column::Status, AnalysisStatus::Failed)
            .set(Column::ErrorMessage, "the server stopped during each attempt; create the analysis again")
            .set(Column::UpdatedAt, now)
            .set(Column::CompletedAt, now)
            .filter(Column::Status.eq(AnalysisStatus::Pending))
            .filter(Column::Id.lt(first_id_at(now - LOST_AFTER)))
            .filter(Column::Id.gte(first_id_at(now - LOOKBACK)))
            .exec()
            .await?;
        tx.commit().await?;
        if lost > 0 {
            tracing::warn!(ai_analysis_results = lost, "failed analyses that had lost their job");
        }
        Ok(())
    }

    async fn enqueue_scheduled_analyses(&self, project: &MonitoredProject, hours: i64) -> Result<()> {
        let scope = Scope::system(project.tenant, "insight");
        let settings = self.0.analysis.of(project.tenant);
        let Some(model) = settings.model(project.id) else { return Ok(()) };
        let now = self.0.clock.now();
        let range = RangeQuery {
            project_id: project.id,
            from: Some(now - TimeDelta::hours(hours)),
            to: Some(now),
            granularity: None,
        };
        let range = range.range(&self.0.storage.get(), now)?;
        let (all, group_by) =
            (Filter { name: None, versions: &[] }, GroupBy { time: false, name: true, version: true });
        let mut slowest = self.0.stats.endpoint_sums(&scope, (project.id, range), all, group_by).await?;
        slowest.retain(|endpoint| endpoint.requests >= MIN_REQUESTS);
        let seconds = |one: &EndpointStats| one.avg_duration.unwrap_or_default();
        slowest.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
        let tx = self.0.db.write(&scope).await?;
        for one in slowest.into_iter().take(settings.scheduled_endpoints) {
            let endpoint = one.endpoint.as_deref().unwrap_or_default();
            let record = self.slowest_record(&tx, project.id, endpoint, one.version.as_deref()).await?;
            if let Some(target) = record {
                self.enqueue_analysis(&tx, target, AnalysisType::Scheduled, model).await?;
            }
        }
        tx.commit().await
    }
}
