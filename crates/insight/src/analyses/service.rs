//! Creating, reading and deleting analyses.

use loam_kernel::{
    AiAnalysisResultId, Error, Kind, Page, PageQuery, PerformanceRecordId, ProjectId, Result, Scope, bounded,
};
use loam_platform::changes::Audited;
use sea_orm::{ColumnTrait, QueryFilter};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::enqueue::AnalysisTarget;
use super::entity::{AnalysisStatus, AnalysisType, Column, Entity, Model};
use crate::analyses::Analyses;

/// The request to analyse: a given one, or the slowest of an endpoint.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalysisCreate {
    /// The request.
    pub record_id: Option<PerformanceRecordId>,
    /// The project, if `record_id` is omitted; defaults to the project that the API key is bound to.
    pub project_id: Option<ProjectId>,
    /// The endpoint, if `record_id` is omitted: the slowest of its newest requests is analysed.
    pub endpoint: Option<String>,
    /// Only a request of this version of the application.
    pub version: Option<String>,
    /// The model: a route or `provider/model`; defaults to the model in `insight.analysis`.
    pub model: Option<String>,
}

/// Filter for listing analyses.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AnalysisFilter {
    /// Only analyses of this project.
    pub project_id: Option<ProjectId>,
    /// Only analyses of this request.
    pub record_id: Option<PerformanceRecordId>,
    /// Only analyses of this trace.
    pub trace_id: Option<String>,
    /// Only analyses of this endpoint.
    pub endpoint: Option<String>,
    /// Only analyses in this status.
    pub status: Option<AnalysisStatus>,
    /// Only analyses of this type.
    pub analysis_type: Option<AnalysisType>,
}

impl Analyses {
    /// Creates an analysis.
    ///
    /// # Errors
    /// If no model is configured, or the request does not exist.
    pub async fn create_analysis(&self, scope: &Scope, new: AnalysisCreate) -> Result<Model> {
        for (param, text) in [("endpoint", &new.endpoint), ("version", &new.version), ("model", &new.model)] {
            if let Some(text) = text {
                bounded(param, text, 1_000)?;
            }
        }
        let tx = self.0.db.write(scope).await?;
        let target = match new.record_id {
            Some(id) => self.target_record(&tx, id).await?,
            None => {
                let project = new.project_id.or(scope.project);
                let project =
                    project.ok_or_else(|| Error::invalid("project_id", "is required without `record_id`"))?;
                let endpoint = new.endpoint.as_deref();
                let endpoint =
                    endpoint.ok_or_else(|| Error::invalid("endpoint", "is required without `record_id`"))?;
                self.slowest_record(&tx, project, endpoint, new.version.as_deref()).await?
            }
        };
        let target: AnalysisTarget = target.ok_or_else(|| match new.record_id {
            Some(_) => Error::not_found("performance record"),
            None => {
                let message = "the endpoint has no request of this version in the last 7 days";
                Error::new(Kind::NotFound, "not_found", message).with_param("endpoint")
            }
        })?;
        let settings = self.0.analysis.of(scope.tenant());
        let model = new.model.as_deref().or_else(|| settings.model(target.project_id)).ok_or_else(|| {
            Error::invalid(
                "model",
                "no model is configured; pass one, or set `insight.analysis` in the live configuration",
            )
        })?;
        let row = self.enqueue_analysis(&tx, target, AnalysisType::Manual, model).await?;
        let changes = json!({ "record_id": row.record_id, "endpoint": row.endpoint, "model": row.model });
        let notice = self.0.changes.record(&tx, "create", "ai_analysis_results", row.id, changes).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// The tenant's analyses, newest first.
    pub async fn list_analyses(
        &self,
        scope: &Scope,
        filter: AnalysisFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(project) = filter.project_id {
            find = find.filter(Column::ProjectId.eq(project));
        }
        if let Some(record) = filter.record_id {
            find = find.filter(Column::RecordId.eq(record));
        }
        if let Some(trace) = filter.trace_id {
            find = find.filter(Column::TraceId.eq(trace));
        }
        if let Some(endpoint) = filter.endpoint {
            find = find.filter(Column::Endpoint.eq(endpoint));
        }
        if let Some(status) = filter.status {
            find = find.filter(Column::Status.eq(status));
        }
        if let Some(analysis_type) = filter.analysis_type {
            find = find.filter(Column::AnalysisType.eq(analysis_type));
        }
        find.page(page, |row| row.id.0).await
    }

    /// Gets an analysis.
    pub async fn get_analysis(&self, scope: &Scope, id: AiAnalysisResultId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Deletes an analysis; the result of a running one is discarded. Its model calls stay billed.
    pub async fn delete_analysis(&self, scope: &Scope, id: AiAnalysisResultId) -> Result<()> {
        self.0.changes.delete::<Entity>(self.0.db.write(scope).await?, id).await
    }
}

impl Audited for Entity {
    const NAME: &'static str = "analysis";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "project_id": row.project_id, "analysis_type": row.analysis_type, "status": row.status,
            "provider": row.provider, "model": row.model,
        })
    }
}
