//! Beginning an analysis: its row and the job that makes it, in one transaction.

use chrono::TimeDelta;
use loam_db::{Tenant, Tx};
use loam_jobs::NewJob;
use loam_kernel::{AiAnalysisResultId, PerformanceRecordId, ProjectId, Result, TenantId, first_id_at};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::json;

use super::claims;
use super::entity::{ActiveModel, AnalysisStatus, AnalysisType, Model};
use super::jobs::{Payload, RUN};
use crate::Insight;
use crate::performance_records::entity::{Column, Entity};
use crate::stats::Granularity;

/// Runs of an analysis before it is given up.
const ATTEMPTS: u16 = 3;
/// How far back the slowest request of an endpoint is looked for.
const LOOK_BACK: TimeDelta = TimeDelta::days(7);
/// Requests among which it is looked for, the newest.
const LOOKED_AT: u64 = 10_000;

/// A request to be analysed.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Wanted {
    pub(crate) id: PerformanceRecordId,
    pub(crate) project_id: ProjectId,
    pub(crate) trace_id: String,
    pub(crate) endpoint: String,
    pub(crate) version: String,
    pub(crate) duration_us: i64,
}

const WANTED: [Column; 6] =
    [Column::Id, Column::ProjectId, Column::TraceId, Column::Endpoint, Column::Version, Column::DurationUs];

impl Insight {
    /// Writes that a request is to be analysed, and enqueues that.
    pub(super) async fn begin_analysis(
        &self,
        tx: &Tx<Tenant>,
        wanted: Wanted,
        analysis_type: AnalysisType,
        model: &str,
    ) -> Result<Model> {
        let id: AiAnalysisResultId = self.0.clock.id();
        let row = self.insert(tx, id, wanted, analysis_type, model).await?;
        let job = NewJob::new(RUN, Payload { analysis_id: id }).attempts(ATTEMPTS);
        loam_jobs::enqueue(tx, &self.0.clock, job).await?;
        Ok(row)
    }

    /// The same for what nobody asked for, unless this endpoint and version had its turn this hour; says whether it did.
    pub(crate) async fn begin_auto(&self, tx: &Tx<Tenant>, wanted: Wanted, model: &str) -> Result<bool> {
        let (id, now): (AiAnalysisResultId, _) = (self.0.clock.id(), self.0.clock.now());
        let claim = claims::ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.0.clock.id()),
            project_id: Set(wanted.project_id),
            endpoint: Set(wanted.endpoint.clone()),
            version: Set(wanted.version.clone()),
            hour: Set(Granularity::Hour.bucket(now)),
            analysis_id: Set(id),
            created_at: Set(now),
        };
        if !tx.insert_if_new(claim).await? {
            return Ok(false);
        }
        self.insert(tx, id, wanted, AnalysisType::Auto, model).await?;
        let job = NewJob::new(RUN, Payload { analysis_id: id }).attempts(ATTEMPTS);
        loam_jobs::enqueue(tx, &self.0.clock, job).await?;
        Ok(true)
    }

    async fn insert(
        &self,
        tx: &Tx<Tenant>,
        id: AiAnalysisResultId,
        wanted: Wanted,
        analysis_type: AnalysisType,
        model: &str,
    ) -> Result<Model> {
        let now = self.0.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            project_id: Set(wanted.project_id),
            record_id: Set(Some(wanted.id)),
            trace_id: Set(Some(wanted.trace_id)),
            endpoint: Set(wanted.endpoint),
            version: Set(wanted.version),
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

    /// The request with this id.
    pub(super) async fn wanted_record(
        &self,
        tx: &Tx<Tenant>,
        id: PerformanceRecordId,
    ) -> Result<Option<Wanted>> {
        let find = tx.find::<Entity>().select_only().columns(WANTED).filter(Column::Id.eq(id));
        Ok(find.into::<Wanted>().await?.into_iter().next())
    }

    /// The slowest of the newest requests of an endpoint; of one version, if that is given.
    pub(super) async fn slowest_record(
        &self,
        tx: &Tx<Tenant>,
        project: ProjectId,
        endpoint: &str,
        version: Option<&str>,
    ) -> Result<Option<Wanted>> {
        let from = first_id_at(self.0.clock.now() - LOOK_BACK);
        let mut find = tx.find::<Entity>().select_only().columns(WANTED);
        find = find.filter(Column::ProjectId.eq(project)).filter(Column::Endpoint.eq(endpoint));
        if let Some(version) = version {
            find = find.filter(Column::Version.eq(version));
        }
        let newest = find.filter(Column::Id.gte(from)).order_by_desc(Column::Id).limit(LOOKED_AT);
        Ok(newest.into::<Wanted>().await?.into_iter().max_by_key(|one| one.duration_us))
    }
}
