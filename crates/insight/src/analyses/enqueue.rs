//! Creates an analysis: its row and the job that runs it, in one transaction.

use chrono::TimeDelta;
use loam_db::{Tenant, Tx};
use loam_jobs::NewJob;
use loam_kernel::{AiAnalysisResultId, PerformanceRecordId, ProjectId, Result, TenantId, first_id_at};
use sea_orm::{ColumnTrait, DerivePartialModel, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::json;

use super::auto_analyses;
use super::entity::{ActiveModel, AnalysisStatus, AnalysisType, Model};
use super::jobs::{Payload, RUN};
use crate::analyses::Analyses;
use crate::performance_records::entity::{Column, Entity};
use crate::stats::Granularity;

/// Attempts before an analysis fails.
const ATTEMPTS: u16 = 3;
/// How far back the slowest request of an endpoint is searched.
const LOOKBACK: TimeDelta = TimeDelta::days(7);
/// Number of newest requests that are searched.
const MAX_CANDIDATES: u64 = 10_000;

/// The request to analyse.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub(crate) struct AnalysisTarget {
    pub(crate) id: PerformanceRecordId,
    pub(crate) project_id: ProjectId,
    pub(crate) trace_id: String,
    pub(crate) endpoint: String,
    pub(crate) version: String,
    pub(crate) duration_us: i64,
}

impl Analyses {
    /// Inserts a pending analysis of a request and enqueues its job.
    pub(super) async fn enqueue_analysis(
        &self,
        tx: &Tx<Tenant>,
        target: AnalysisTarget,
        analysis_type: AnalysisType,
        model: &str,
    ) -> Result<Model> {
        let id: AiAnalysisResultId = self.0.clock.id();
        let row = self.insert(tx, id, target, analysis_type, model).await?;
        let job = NewJob::new(RUN, Payload { analysis_id: id }).attempts(ATTEMPTS);
        loam_jobs::enqueue(tx, &self.0.clock, job).await?;
        Ok(row)
    }

    /// Enqueues an automatic analysis, at most one per endpoint, version and hour. Returns whether it was enqueued.
    pub(crate) async fn enqueue_auto_analysis(
        &self,
        tx: &Tx<Tenant>,
        target: AnalysisTarget,
        model: &str,
    ) -> Result<bool> {
        let (id, now): (AiAnalysisResultId, _) = (self.0.clock.id(), self.0.clock.now());
        let claim = auto_analyses::ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.0.clock.id()),
            project_id: Set(target.project_id),
            endpoint: Set(target.endpoint.clone()),
            version: Set(target.version.clone()),
            hour: Set(Granularity::Hour.bucket(now)),
            analysis_id: Set(id),
            created_at: Set(now),
        };
        if !tx.insert_if_new(claim).await? {
            return Ok(false);
        }
        self.insert(tx, id, target, AnalysisType::Auto, model).await?;
        let job = NewJob::new(RUN, Payload { analysis_id: id }).attempts(ATTEMPTS);
        loam_jobs::enqueue(tx, &self.0.clock, job).await?;
        Ok(true)
    }

    async fn insert(
        &self,
        tx: &Tx<Tenant>,
        id: AiAnalysisResultId,
        target: AnalysisTarget,
        analysis_type: AnalysisType,
        model: &str,
    ) -> Result<Model> {
        let now = self.0.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            project_id: Set(target.project_id),
            record_id: Set(Some(target.id)),
            trace_id: Set(Some(target.trace_id)),
            endpoint: Set(target.endpoint),
            version: Set(target.version),
            analysis_type: Set(analysis_type),
            status: Set(AnalysisStatus::Pending),
            provider: Set(None),
            model: Set(Some(model.to_owned())),
            model_version: Set(None),
            analysis_input: Set(json!({})),
            analysis_results: Set(None),
            metadata: Set(json!({})),
            duration_ms: Set(None),
            confidence_score: Set(None),
            tokens_used: Set(None),
            cost_nano_usd: Set(None),
            llm_call_id: Set(None),
            error_message: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
            completed_at: Set(None),
        };
        tx.insert(row).await
    }

    /// The request with this ID.
    pub(super) async fn target_record(
        &self,
        tx: &Tx<Tenant>,
        id: PerformanceRecordId,
    ) -> Result<Option<AnalysisTarget>> {
        let find = tx.find::<Entity>().filter(Column::Id.eq(id));
        Ok(find.partial::<AnalysisTarget>().await?.into_iter().next())
    }

    /// The slowest of the newest requests of an endpoint; only of `version` if given.
    pub(super) async fn slowest_record(
        &self,
        tx: &Tx<Tenant>,
        project: ProjectId,
        endpoint: &str,
        version: Option<&str>,
    ) -> Result<Option<AnalysisTarget>> {
        let from = first_id_at(self.0.clock.now() - LOOKBACK);
        let mut find = tx.find::<Entity>();
        find = find.filter(Column::ProjectId.eq(project)).filter(Column::Endpoint.eq(endpoint));
        if let Some(version) = version {
            find = find.filter(Column::Version.eq(version));
        }
        let newest = find.filter(Column::Id.gte(from)).order_by_desc(Column::Id).limit(MAX_CANDIDATES);
        Ok(newest.partial::<AnalysisTarget>().await?.into_iter().max_by_key(|one| one.duration_us))
    }
}
