//! The routes of API specifications.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{ApiSpecId, JsonObject, Page, PageQuery, ProjectId, TechDesignId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Entity, Model};
use super::service::{ApiSpecCreate, ApiSpecFilter, ApiSpecUpdate};
use super::validate::SpecValidationError;
use crate::Delivery;
use crate::document_versions::version_routes;
use crate::documents::{Current, DocumentStatus};

/// An API specification, without its content.
#[derive(Serialize, ToSchema)]
pub struct ApiSpecSummary {
    id: ApiSpecId,
    project_id: ProjectId,
    /// The technical design that it was made from.
    design_id: Option<TechDesignId>,
    title: Option<String>,
    /// Version of OpenAPI, such as `3.1.0`.
    openapi_version: String,
    github_url: Option<String>,
    /// Time of the last synchronisation with that address.
    last_sync: Option<DateTime<Utc>>,
    /// Faults of the current version, at most 100.
    #[schema(value_type = Vec<SpecValidationError>)]
    validation_errors: Value,
    status: DocumentStatus,
    /// Number of the current version: `base_version` of a change.
    version: i64,
    /// Number of the approved version.
    approved_version: Option<i64>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for ApiSpecSummary {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            design_id: row.design_id,
            title: row.title,
            openapi_version: row.openapi_version,
            github_url: row.github_url,
            last_sync: row.last_sync,
            validation_errors: row.validation_errors,
            status: row.status,
            version: row.version,
            approved_version: row.approved_version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// An API specification.
#[derive(Serialize, ToSchema)]
pub struct ApiSpecView {
    #[serde(flatten)]
    spec: ApiSpecSummary,
    /// The OpenAPI document.
    #[schema(value_type = JsonObject)]
    openapi_spec: Value,
}

impl From<Current<Entity>> for ApiSpecView {
    fn from(current: Current<Entity>) -> Self {
        let Current { row, content } = current;
        Self { spec: row.into(), openapi_spec: content.openapi_spec }
    }
}

pub(crate) fn router() -> OpenApiRouter<Delivery> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .merge(versions_router())
}

/// Lists API specifications without their content, newest first.
#[utoipa::path(
    get, path = "/api/v1/api_specs", tag = "api_specs", operation_id = "api_specs_list",
    params(ApiSpecFilter, PageQuery),
    responses((status = 200, body = Page<ApiSpecSummary>)),
    security(("api_key" = ["api_specs:read"]))
)]
async fn list(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Query(filter): Query<ApiSpecFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<ApiSpecSummary>>> {
    Ok(JsonResponse(delivery.list_api_specs(&scope, &filter, &page).await?.map(ApiSpecSummary::from)))
}

/// Creates an API specification.
#[utoipa::path(
    post, path = "/api/v1/api_specs", tag = "api_specs", operation_id = "api_specs_create",
    request_body = ApiSpecCreate,
    responses((status = 201, body = ApiSpecView)),
    security(("api_key" = ["api_specs:write"]))
)]
async fn create(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Json(new): Json<ApiSpecCreate>,
) -> ApiResult<Tagged<ApiSpecView>> {
    let document = delivery.create_api_spec(&scope, new).await?;
    Ok(created(document.row.updated_at, document.into()))
}

/// Gets an API specification with its current content.
#[utoipa::path(
    get, path = "/api/v1/api_specs/{id}", tag = "api_specs", operation_id = "api_specs_get",
    params(("id" = ApiSpecId, Path)),
    responses((status = 200, body = ApiSpecView)),
    security(("api_key" = ["api_specs:read"]))
)]
async fn get(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<ApiSpecId>,
) -> ApiResult<Tagged<ApiSpecView>> {
    let document = delivery.document::<Entity>(&scope, id.0).await?;
    Ok(Tagged::new(document.row.updated_at, document.into()))
}

/// Saves a changed API specification, as a new version if its content is another one.
#[utoipa::path(
    patch, path = "/api/v1/api_specs/{id}", tag = "api_specs", operation_id = "api_specs_update",
    params(("id" = ApiSpecId, Path), ("If-Match" = Option<String>, Header)),
    request_body = ApiSpecUpdate,
    responses((status = 200, body = ApiSpecView)),
    extensions(("x-errors" = json!({"409": ["version_conflict", "document_not_editable"]}))),
    security(("api_key" = ["api_specs:write"]))
)]
async fn update(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<ApiSpecId>,
    IfMatch(version): IfMatch,
    Json(new): Json<ApiSpecUpdate>,
) -> ApiResult<Tagged<ApiSpecView>> {
    let document = delivery.update_api_spec(&scope, id, &version, new).await?;
    Ok(Tagged::new(document.row.updated_at, document.into()))
}

/// Deletes an API specification with its versions.
#[utoipa::path(
    delete, path = "/api/v1/api_specs/{id}", tag = "api_specs", operation_id = "api_specs_delete",
    params(("id" = ApiSpecId, Path)),
    responses((status = 204)),
    security(("api_key" = ["api_specs:write"]))
)]
async fn delete(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<ApiSpecId>,
) -> ApiResult<StatusCode> {
    delivery.delete_api_spec(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

version_routes! {
    entity: Entity, id: ApiSpecId, view: ApiSpecView, tag: "api_specs",
    read: "api_specs:read", write: "api_specs:write",
    transition: "/api/v1/api_specs/{id}/transition" "api_specs_transition",
    versions: "/api/v1/api_specs/{id}/versions" "api_specs_versions_list",
    version: "/api/v1/api_specs/{id}/versions/{number}" "api_specs_versions_get",
    restore: "/api/v1/api_specs/{id}/versions/{number}/restore" "api_specs_versions_restore",
    compare: "/api/v1/api_specs/{id}/compare" "api_specs_versions_compare",
}
