//! The routes of analyses.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Json, Path, Query, Tagged, created};
use loam_kernel::{
    AiAnalysisResultId, JsonObject, LlmCallId, Page, PageQuery, PerformanceRecordId, ProjectId,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{AnalysisStatus, AnalysisType, Model};
use super::service::{AnalysisCreate, AnalysisFilter};
use crate::analyses::Analyses;

/// A model's analysis of a slow request. Lists omit `analysis_input` and `analysis_results`.
#[derive(Serialize, ToSchema)]
pub struct AnalysisView {
    id: AiAnalysisResultId,
    project_id: ProjectId,
    /// The analysed request.
    record_id: Option<PerformanceRecordId>,
    trace_id: Option<String>,
    endpoint: String,
    /// Version of the application; empty if not reported.
    version: String,
    analysis_type: AnalysisType,
    status: AnalysisStatus,
    ai_service: AiService,
    /// Input of the model: `performance_summary`, `slow_functions`, `context_info`; omitted in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JsonObject>, nullable = false)]
    analysis_input: Option<Value>,
    /// `performance_score`, `bottleneck_analysis`, `optimization_suggestions`, `risk_assessment`; omitted in
    /// lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JsonObject>, nullable = false)]
    analysis_results: Option<Value>,
    analysis_metadata: AnalysisMetadata,
    /// Why the analysis failed.
    error_message: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
}

/// The model that made the analysis.
#[derive(Serialize, ToSchema)]
pub struct AiService {
    /// Name of the provider.
    provider: Option<String>,
    /// Name of the model at the provider; while the analysis is pending, the requested model.
    model: Option<String>,
    /// Name of the model in the provider's response.
    version: Option<String>,
}

/// Details of the run of an analysis.
#[derive(Serialize, ToSchema)]
pub struct AnalysisMetadata {
    /// Duration of the model calls, in seconds.
    duration: Option<f64>,
    /// Confidence, 0 to 1.
    confidence_score: Option<f64>,
    tokens_used: Option<i64>,
    /// Cost in US dollars; null if the model has no price.
    cost: Option<f64>,
    /// The model call; the last if there were several.
    llm_call_id: Option<LlmCallId>,
    /// `model`, or `rules` if the model's response was unusable; null while the analysis is pending.
    source: Option<String>,
    /// Whether the model was called again because its first response was invalid.
    repaired: Option<bool>,
    /// Number of dropped claims: those about functions or calls that are not in the record.
    dropped_claims: Option<u64>,
    /// Why the model's response was unusable.
    reason: Option<String>,
}

impl AnalysisView {
    /// The view in a list.
    pub fn list_item(row: Model) -> Self {
        Self { analysis_input: None, analysis_results: None, ..Self::from(row) }
    }
}

impl From<Model> for AnalysisView {
    #[expect(clippy::cast_precision_loss, reason = "seconds and dollars for display")]
    fn from(row: Model) -> Self {
        let metadata = &row.metadata;
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
                source: metadata["source"].as_str().map(str::to_owned),
                repaired: metadata["repaired"].as_bool(),
                dropped_claims: metadata["dropped_claims"].as_u64(),
                reason: metadata["reason"].as_str().map(str::to_owned),
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

pub(crate) fn router(analyses: Analyses) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, delete)).with_state(analyses)
}

/// Lists analyses, newest first, without input and results.
#[utoipa::path(
    get, path = "/api/v1/ai_analysis_results", tag = "ai_analysis_results", operation_id = "ai_analysis_results_list",
    params(AnalysisFilter, PageQuery),
    responses((status = 200, body = Page<AnalysisView>)),
    security(("api_key" = ["ai_analysis_results:read"]))
)]
async fn list(
    State(analyses): State<Analyses>,
    Caller(scope): Caller,
    Query(filter): Query<AnalysisFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<AnalysisView>>> {
    Ok(JsonResponse(analyses.list_analyses(&scope, filter, &page).await?.map(AnalysisView::list_item)))
}

/// Creates an analysis: a model explains why a request is slow.
///
/// Analyses the given request, or the slowest of an endpoint. The analysis is returned as `pending` and runs
/// asynchronously.
#[utoipa::path(
    post, path = "/api/v1/ai_analysis_results", tag = "ai_analysis_results",
    operation_id = "ai_analysis_results_create",
    request_body = AnalysisCreate,
    responses((status = 201, body = AnalysisView)),
    security(("api_key" = ["ai_analysis_results:write"]))
)]
async fn create(
    State(analyses): State<Analyses>,
    Caller(scope): Caller,
    Json(new): Json<AnalysisCreate>,
) -> ApiResult<Tagged<AnalysisView>> {
    let row = analyses.create_analysis(&scope, new).await?;
    Ok(created(row.updated_at, row.into()))
}

/// Gets an analysis.
#[utoipa::path(
    get, path = "/api/v1/ai_analysis_results/{id}", tag = "ai_analysis_results",
    operation_id = "ai_analysis_results_get",
    params(("id" = AiAnalysisResultId, Path)),
    responses((status = 200, body = AnalysisView)),
    security(("api_key" = ["ai_analysis_results:read"]))
)]
async fn get(
    State(analyses): State<Analyses>,
    Caller(scope): Caller,
    Path(id): Path<AiAnalysisResultId>,
) -> ApiResult<Tagged<AnalysisView>> {
    let row = analyses.get_analysis(&scope, id).await?;
    Ok(Tagged::new(row.updated_at, row.into()))
}

/// Deletes an analysis.
#[utoipa::path(
    delete, path = "/api/v1/ai_analysis_results/{id}", tag = "ai_analysis_results",
    operation_id = "ai_analysis_results_delete",
    params(("id" = AiAnalysisResultId, Path)),
    responses((status = 204)),
    security(("api_key" = ["ai_analysis_results:write"]))
)]
async fn delete(
    State(analyses): State<Analyses>,
    Caller(scope): Caller,
    Path(id): Path<AiAnalysisResultId>,
) -> ApiResult<StatusCode> {
    analyses.delete_analysis(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
