//! The routes of suggestions.

use axum::Json as JsonResponse;
use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged};
use loam_kernel::{AiAnalysisResultId, Page, PageQuery, PerformanceRecordId, ProjectId, SuggestionId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Model, SuggestionSource, SuggestionStatus};
use super::service::{SuggestionFilter, SuggestionUpdate};
use crate::analyses::Analyses;
use crate::rules::{FindingCode, FindingParameters};

/// A suggestion for a slow endpoint.
#[derive(Serialize, ToSchema)]
pub struct SuggestionView {
    id: SuggestionId,
    project_id: ProjectId,
    endpoint: String,
    /// Function to change: `module.Class.name`.
    function: Option<String>,
    /// Rule that found the problem; null if a model made the suggestion.
    finding: Option<String>,
    /// Identifies the texts; null if a model made the suggestion, or an earlier version stored it.
    #[schema(value_type = Option<FindingCode>)]
    code: Option<String>,
    /// What the title was made from, besides `function`. Null like `code`.
    #[schema(value_type = Option<FindingParameters>)]
    parameters: Option<Value>,
    source: SuggestionSource,
    /// `database`, `caching`, `algorithm` or `architecture`.
    category: String,
    /// `high`, `medium` or `low`.
    priority: String,
    title: String,
    description: String,
    code_example: Option<String>,
    /// Version of the application that it applies to; empty if not reported.
    version: String,
    /// A request that shows the problem.
    record_id: Option<PerformanceRecordId>,
    /// Analysis that produced the suggestion.
    analysis_id: Option<AiAnalysisResultId>,
    status: SuggestionStatus,
    /// Predicted saving as a share of the request duration, 0 to 1.
    predicted_gain: Option<f64>,
    /// Measured saving of a later version as a share of the request duration; negative if it is slower. Null until a later
    /// version has enough requests.
    measured_gain: Option<f64>,
    /// Details of the measurement.
    #[schema(value_type = Option<Object>)]
    measured: Option<Value>,
    /// The version that was measured.
    measured_version: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for SuggestionView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            endpoint: row.endpoint,
            function: row.function,
            finding: row.finding,
            code: row.code,
            parameters: row.parameters,
            source: row.source,
            category: row.category,
            priority: row.priority,
            title: row.title,
            description: row.description,
            code_example: row.code_example,
            version: row.version,
            record_id: row.record_id,
            analysis_id: row.analysis_id,
            status: row.status,
            predicted_gain: row.predicted_gain,
            measured_gain: row.measured_gain,
            measured: row.measured,
            measured_version: row.measured_version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(crate) fn router(analyses: Analyses) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, update)).with_state(analyses)
}

/// Lists suggestions, newest first.
#[utoipa::path(
    get, path = "/api/v1/suggestions", tag = "suggestions", operation_id = "suggestions_list",
    params(SuggestionFilter, PageQuery),
    responses((status = 200, body = Page<SuggestionView>)),
    security(("api_key" = ["suggestions:read"]))
)]
async fn list(
    State(analyses): State<Analyses>,
    Caller(scope): Caller,
    Query(filter): Query<SuggestionFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<SuggestionView>>> {
    Ok(JsonResponse(analyses.list_suggestions(&scope, filter, &page).await?.map(SuggestionView::from)))
}

/// Gets a suggestion.
#[utoipa::path(
    get, path = "/api/v1/suggestions/{id}", tag = "suggestions", operation_id = "suggestions_get",
    params(("id" = SuggestionId, Path)),
    responses((status = 200, body = SuggestionView)),
    security(("api_key" = ["suggestions:read"]))
)]
async fn get(
    State(analyses): State<Analyses>,
    Caller(scope): Caller,
    Path(id): Path<SuggestionId>,
) -> ApiResult<Tagged<SuggestionView>> {
    let row = analyses.get_suggestion(&scope, id).await?;
    Ok(Tagged::new(row.updated_at, row.into()))
}

/// Updates the status of a suggestion.
#[utoipa::path(
    patch, path = "/api/v1/suggestions/{id}", tag = "suggestions", operation_id = "suggestions_update",
    params(("id" = SuggestionId, Path), ("If-Match" = Option<String>, Header)),
    request_body = SuggestionUpdate,
    responses((status = 200, body = SuggestionView)),
    security(("api_key" = ["suggestions:write"]))
)]
async fn update(
    State(analyses): State<Analyses>,
    Caller(scope): Caller,
    Path(id): Path<SuggestionId>,
    IfMatch(version): IfMatch,
    Json(new): Json<SuggestionUpdate>,
) -> ApiResult<Tagged<SuggestionView>> {
    let row = analyses.update_suggestion(&scope, id, &version, new).await?;
    Ok(Tagged::new(row.updated_at, row.into()))
}
