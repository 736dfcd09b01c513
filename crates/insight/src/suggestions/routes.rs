//! The routes of suggestions.

use axum::Json as Answer;
use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, IfMatch, Json, Path, Query, Tagged};
use loam_kernel::{AiAnalysisResultId, Page, PageQuery, PerformanceRecordId, ProjectId, SuggestionId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Model, SuggestionSource, SuggestionStatus};
use super::service::{SuggestionFilter, SuggestionUpdate};
use crate::Insight;

/// What could be done about a slow endpoint.
#[derive(Serialize, ToSchema)]
pub struct SuggestionView {
    id: SuggestionId,
    project_id: ProjectId,
    endpoint: String,
    /// Where it is to be done: `module.Class.name`.
    function: Option<String>,
    /// The rule that found it; null for a model's.
    finding: Option<String>,
    source: SuggestionSource,
    /// `database`, `caching`, `algorithm` or `architecture`.
    category: String,
    /// `high`, `medium` or `low`.
    priority: String,
    title: String,
    description: String,
    code_example: Option<String>,
    /// The version of the application that it is about; empty where none was told.
    version: String,
    /// A request that shows it.
    record_id: Option<PerformanceRecordId>,
    /// The analysis that it comes from.
    analysis_id: Option<AiAnalysisResultId>,
    status: SuggestionStatus,
    /// The share of the time of such a request that it is likely to save, 0 to 1.
    predicted_gain: Option<f64>,
    /// The share that a later version saved; less than 0 when it takes longer. Null until one has had enough requests.
    measured_gain: Option<f64>,
    /// How that was measured.
    #[schema(value_type = Option<Object>)]
    measured: Option<Value>,
    /// The later version.
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

pub(crate) fn router(insight: Insight) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, update)).with_state(insight)
}

/// What could be done, newest first.
#[utoipa::path(
    get, path = "/api/v1/suggestions", tag = "suggestions", operation_id = "suggestions_list",
    params(SuggestionFilter, PageQuery),
    responses((status = 200, body = Page<SuggestionView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["suggestions:read"]))
)]
async fn list(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(filter): Query<SuggestionFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<SuggestionView>>> {
    Ok(Answer(insight.list_suggestions(&scope, filter, &page).await?.map(SuggestionView::from)))
}

/// One suggestion.
#[utoipa::path(
    get, path = "/api/v1/suggestions/{id}", tag = "suggestions", operation_id = "suggestions_get",
    params(("id" = SuggestionId, Path)),
    responses((status = 200, body = SuggestionView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["suggestions:read"]))
)]
async fn get(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Path(id): Path<SuggestionId>,
) -> ApiResult<Tagged<SuggestionView>> {
    let row = insight.get_suggestion(&scope, id).await?;
    Ok(Tagged::new(row.updated_at, row.into()))
}

/// Decides on a suggestion.
#[utoipa::path(
    patch, path = "/api/v1/suggestions/{id}", tag = "suggestions", operation_id = "suggestions_update",
    params(("id" = SuggestionId, Path), ("If-Match" = Option<String>, Header)),
    request_body = SuggestionUpdate,
    responses((status = 200, body = SuggestionView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["suggestions:write"]))
)]
async fn update(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Path(id): Path<SuggestionId>,
    version: IfMatch,
    Json(new): Json<SuggestionUpdate>,
) -> ApiResult<Tagged<SuggestionView>> {
    let row = insight.update_suggestion(&scope, id, &version, new).await?;
    Ok(Tagged::new(row.updated_at, row.into()))
}
