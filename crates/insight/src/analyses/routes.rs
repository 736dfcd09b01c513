//! The routes of analyses.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Json, Path, Query, Tagged, created};
use loam_kernel::{AiAnalysisResultId, LlmCallId, Page, PageQuery, PerformanceRecordId, ProjectId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{AnalysisStatus, AnalysisType, Model};
use super::service::{AnalysisCreate, AnalysisFilter};
use crate::Insight;

/// Why a request is slow. Lists leave out what went in and what came out.
#[derive(Serialize, ToSchema)]
pub struct AnalysisView {
    id: AiAnalysisResultId,
    project_id: ProjectId,
    /// The request that was analysed.
    record_id: Option<PerformanceRecordId>,
    trace_id: Option<String>,
    endpoint: String,
    /// The version of the application; empty where none was told.
    version: String,
    analysis_type: AnalysisType,
    status: AnalysisStatus,
    ai_service: AiService,
    /// What the model was told: `performance_summary`, `slow_functions`, `context_info`; only when one analysis is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    analysis_input: Option<Value>,
    /// `performance_score`, `bottleneck_analysis`, `optimization_suggestions`, `risk_assessment`; only when one analysis is
    /// read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    analysis_results: Option<Value>,
    analysis_metadata: AnalysisMetadata,
    /// Why no model could be asked.
    error_message: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
}

/// Who told.
#[derive(Serialize, ToSchema)]
pub struct AiService {
    /// Name of the provider.
    provider: Option<String>,
    /// Name of the model at the provider; while the analysis is pending, what it was asked for by.
    model: Option<String>,
    /// The model as the provider's answer calls it.
    version: Option<String>,
}

/// How an analysis came about.
#[derive(Serialize, ToSchema)]
pub struct AnalysisMetadata {
    /// Seconds that the model took.
    duration: Option<f64>,
    /// How far it can be relied on, 0 to 1.
    confidence_score: Option<f64>,
    tokens_used: Option<i64>,
    /// US dollars; null when the model has no price.
    cost: Option<f64>,
    /// The model call, the last if there were several.
    llm_call_id: Option<LlmCallId>,
    /// `model`, or `rules` where a model said nothing of use; null while it is pending.
    source: Option<String>,
    /// Whether the model was asked again, as its first answer was not valid.
    repaired: Option<bool>,
    /// Claims on functions and calls that are not in the record, which were dropped.
    dropped_claims: Option<u64>,
    /// Why the model said nothing of use.
    reason: Option<String>,
}

impl AnalysisView {
    /// As a list has it.
    pub fn listed(row: Model) -> Self {
        Self { analysis_input: None, analysis_results: None, ..Self::from(row) }
    }
}

impl From<Model> for AnalysisView {
    #[expect(clippy::cast_precision_loss, reason = "seconds and dollars to be read")]
    fn from(row: Model) -> Self {
        let told = &row.metadata;
        Self {
            id: row.id,
            project_id: row.project_id,
            record_id: row.record_id,
            trace_id: row.trace_id,
            endpoint: row.endpoint,
            version: row.version,
            analysis_type: row.analysis_type,
            status: row.status,
            ai_service: AiService { provider: row.provider, model: row.model, version: row.model_version },
            analysis_metadata: AnalysisMetadata {
                duration: row.duration_ms.map(|ms| ms as f64 / 1e3),
                confidence_score: row.confidence_score,
                tokens_used: row.tokens_used,
                cost: row.cost_nano_usd.map(|nano| nano as f64 / 1e9),
                llm_call_id: row.llm_call_id,
                source: told["source"].as_str().map(str::to_owned),
                repaired: told["repaired"].as_bool(),
                dropped_claims: told["dropped_claims"].as_u64(),
                reason: told["reason"].as_str().map(str::to_owned),
            },
            analysis_input: Some(row.analysis_input),
            analysis_results: row.analysis_results,
            error_message: row.error_message,
            created_at: row.created_at,
            updated_at: row.updated_at,
            completed_at: row.completed_at,
        }
    }
}

pub(crate) fn router(insight: Insight) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, delete)).with_state(insight)
}

/// Analyses, newest first, without what went in and what came out.
#[utoipa::path(
    get, path = "/api/v1/ai_analysis_results", tag = "ai_analysis_results", operation_id = "ai_analysis_results_list",
    params(AnalysisFilter, PageQuery),
    responses((status = 200, body = Page<AnalysisView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["ai_analysis_results:read"]))
)]
async fn list(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(filter): Query<AnalysisFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<AnalysisView>>> {
    Ok(Answer(insight.list_analyses(&scope, filter, &page).await?.map(AnalysisView::listed)))
}

/// Has a model say why a request is slow: one, or the slowest of an endpoint. The answer is there at once as `pending`;
/// the analysis follows.
#[utoipa::path(
    post, path = "/api/v1/ai_analysis_results", tag = "ai_analysis_results",
    operation_id = "ai_analysis_results_create",
    request_body = AnalysisCreate,
    responses((status = 201, body = AnalysisView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["ai_analysis_results:write"]))
)]
async fn create(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Json(new): Json<AnalysisCreate>,
) -> ApiResult<Tagged<AnalysisView>> {
    let row = insight.create_analysis(&scope, new).await?;
    Ok(created(row.updated_at, row.into()))
}

/// One analysis.
#[utoipa::path(
    get, path = "/api/v1/ai_analysis_results/{id}", tag = "ai_analysis_results",
    operation_id = "ai_analysis_results_get",
    params(("id" = AiAnalysisResultId, Path)),
    responses((status = 200, body = AnalysisView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["ai_analysis_results:read"]))
)]
async fn get(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Path(id): Path<AiAnalysisResultId>,
) -> ApiResult<Tagged<AnalysisView>> {
    let row = insight.get_analysis(&scope, id).await?;
    Ok(Tagged::new(row.updated_at, row.into()))
}

/// Removes an analysis.
#[utoipa::path(
    delete, path = "/api/v1/ai_analysis_results/{id}", tag = "ai_analysis_results",
    operation_id = "ai_analysis_results_delete",
    params(("id" = AiAnalysisResultId, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["ai_analysis_results:write"]))
)]
async fn delete(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Path(id): Path<AiAnalysisResultId>,
) -> ApiResult<StatusCode> {
    insight.delete_analysis(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
