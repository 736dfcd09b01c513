//! The routes of requirements.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{Page, PageQuery, ProjectId, RequirementId};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::analysis::AiAnalysis;
use super::entity::{Entity, Model};
use super::service::{ManualEdits, RequirementCreate, RequirementFilter, RequirementSort, RequirementUpdate};
use crate::Delivery;
use crate::document_versions::version_routes;
use crate::documents::{Current, DocumentStatus};

/// A requirement, without its content.
#[derive(Serialize, ToSchema)]
pub struct RequirementSummary {
    id: RequirementId,
    project_id: ProjectId,
    title: Option<String>,
    /// Confidence in the analysis, 0 to 1.
    confidence_score: Option<f64>,
    status: DocumentStatus,
    /// Number of the current version: `base_version` of a change.
    version: i64,
    /// Number of the approved version.
    approved_version: Option<i64>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for RequirementSummary {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            confidence_score: row.confidence(),
            title: row.title,
            status: row.status,
            version: row.version,
            approved_version: row.approved_version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A requirement.
#[derive(Serialize, ToSchema)]
pub struct RequirementView {
    #[serde(flatten)]
    requirement: RequirementSummary,
    /// What is wanted, in the words of who wants it.
    raw_text: String,
    /// The analysis of it.
    ai_analysis: Option<AiAnalysis>,
    /// What people changed in the analysis since a model last wrote it; null if nothing.
    manual_edits: Option<ManualEdits>,
}

impl From<Current<Entity>> for RequirementView {
    fn from(current: Current<Entity>) -> Self {
        let Current { row, content } = current;
        Self {
            requirement: row.into(),
            raw_text: content.raw_text,
            ai_analysis: content.ai_analysis,
            manual_edits: content.manual_edits,
        }
    }
}

/// The types of parameters.
#[derive(OpenApi)]
#[openapi(components(schemas(DocumentStatus, RequirementSort)))]
struct ParameterTypes;

pub(crate) fn router() -> OpenApiRouter<Delivery> {
    OpenApiRouter::with_openapi(ParameterTypes::openapi())
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .merge(versions_router())
}

/// Lists requirements without their content, newest first or by confidence.
#[utoipa::path(
    get, path = "/api/v1/requirements", tag = "requirements", operation_id = "requirements_list",
    params(RequirementFilter, PageQuery),
    responses((status = 200, body = Page<RequirementSummary>)),
    security(("api_key" = ["requirements:read"]))
)]
async fn list(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Query(filter): Query<RequirementFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<RequirementSummary>>> {
    Ok(JsonResponse(delivery.list_requirements(&scope, &filter, &page).await?.map(RequirementSummary::from)))
}

/// Creates a requirement.
#[utoipa::path(
    post, path = "/api/v1/requirements", tag = "requirements", operation_id = "requirements_create",
    request_body = RequirementCreate,
    responses((status = 201, body = RequirementView)),
    security(("api_key" = ["requirements:write"]))
)]
async fn create(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Json(new): Json<RequirementCreate>,
) -> ApiResult<Tagged<RequirementView>> {
    let requirement = delivery.create_requirement(&scope, new).await?;
    Ok(created(requirement.row.updated_at, requirement.into()))
}

/// Gets a requirement with its current content.
#[utoipa::path(
    get, path = "/api/v1/requirements/{id}", tag = "requirements", operation_id = "requirements_get",
    params(("id" = RequirementId, Path)),
    responses((status = 200, body = RequirementView)),
    security(("api_key" = ["requirements:read"]))
)]
async fn get(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<RequirementId>,
) -> ApiResult<Tagged<RequirementView>> {
    let requirement = delivery.document::<Entity>(&scope, id.0).await?;
    Ok(Tagged::new(requirement.row.updated_at, requirement.into()))
}

/// Saves a changed requirement as a new version.
#[utoipa::path(
    patch, path = "/api/v1/requirements/{id}", tag = "requirements", operation_id = "requirements_update",
    params(("id" = RequirementId, Path), ("If-Match" = Option<String>, Header)),
    request_body = RequirementUpdate,
    responses((status = 200, body = RequirementView)),
    extensions(("x-errors" = json!({"409": ["version_conflict", "document_not_editable"]}))),
    security(("api_key" = ["requirements:write"]))
)]
async fn update(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<RequirementId>,
    IfMatch(version): IfMatch,
    Json(new): Json<RequirementUpdate>,
) -> ApiResult<Tagged<RequirementView>> {
    let requirement = delivery.update_requirement(&scope, id, &version, new).await?;
    Ok(Tagged::new(requirement.row.updated_at, requirement.into()))
}

/// Deletes a requirement with its versions. The PRDs, designs and specifications that were made from it are deleted too.
#[utoipa::path(
    delete, path = "/api/v1/requirements/{id}", tag = "requirements", operation_id = "requirements_delete",
    params(("id" = RequirementId, Path)),
    responses((status = 204)),
    security(("api_key" = ["requirements:write"]))
)]
async fn delete(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<RequirementId>,
) -> ApiResult<StatusCode> {
    delivery.delete_requirement(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

version_routes! {
    entity: Entity, id: RequirementId, view: RequirementView, tag: "requirements",
    read: "requirements:read", write: "requirements:write",
    transition: "/api/v1/requirements/{id}/transition" "requirements_transition",
    versions: "/api/v1/requirements/{id}/versions" "requirements_versions_list",
    version: "/api/v1/requirements/{id}/versions/{number}" "requirements_versions_get",
    restore: "/api/v1/requirements/{id}/versions/{number}/restore" "requirements_versions_restore",
    compare: "/api/v1/requirements/{id}/compare" "requirements_versions_compare",
}
