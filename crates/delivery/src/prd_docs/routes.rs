//! The routes of PRDs.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{Page, PageQuery, PrdDocId, ProjectId, RequirementId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Entity, Model};
use super::service::{PrdDocCreate, PrdDocFilter, PrdDocUpdate};
use crate::Delivery;
use crate::document_versions::version_routes;
use crate::documents::{Current, DocumentStatus};

/// A product requirements document, without its content.
#[derive(Serialize, ToSchema)]
pub struct PrdDocSummary {
    id: PrdDocId,
    project_id: ProjectId,
    requirement_id: RequirementId,
    title: Option<String>,
    status: DocumentStatus,
    /// Number of the current version: `base_version` of a change.
    version: i64,
    /// Number of the approved version.
    approved_version: Option<i64>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for PrdDocSummary {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            requirement_id: row.requirement_id,
            title: row.title,
            status: row.status,
            version: row.version,
            approved_version: row.approved_version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A product requirements document.
#[derive(Serialize, ToSchema)]
pub struct PrdDocView {
    #[serde(flatten)]
    prd_doc: PrdDocSummary,
    /// The document in Markdown.
    markdown_content: String,
}

impl From<Current<Entity>> for PrdDocView {
    fn from(current: Current<Entity>) -> Self {
        let Current { row, content } = current;
        Self { prd_doc: row.into(), markdown_content: content.markdown_content }
    }
}

pub(crate) fn router() -> OpenApiRouter<Delivery> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .merge(versions_router())
}

/// Lists PRDs without their content, newest first.
#[utoipa::path(
    get, path = "/api/v1/prd_docs", tag = "prd_docs", operation_id = "prd_docs_list",
    params(PrdDocFilter, PageQuery),
    responses((status = 200, body = Page<PrdDocSummary>)),
    security(("api_key" = ["prd_docs:read"]))
)]
async fn list(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Query(filter): Query<PrdDocFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<PrdDocSummary>>> {
    Ok(JsonResponse(delivery.list_prd_docs(&scope, &filter, &page).await?.map(PrdDocSummary::from)))
}

/// Creates a PRD.
#[utoipa::path(
    post, path = "/api/v1/prd_docs", tag = "prd_docs", operation_id = "prd_docs_create",
    request_body = PrdDocCreate,
    responses((status = 201, body = PrdDocView)),
    security(("api_key" = ["prd_docs:write"]))
)]
async fn create(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Json(new): Json<PrdDocCreate>,
) -> ApiResult<Tagged<PrdDocView>> {
    let document = delivery.create_prd_doc(&scope, new).await?;
    Ok(created(document.row.updated_at, document.into()))
}

/// Gets a PRD with its current content.
#[utoipa::path(
    get, path = "/api/v1/prd_docs/{id}", tag = "prd_docs", operation_id = "prd_docs_get",
    params(("id" = PrdDocId, Path)),
    responses((status = 200, body = PrdDocView)),
    security(("api_key" = ["prd_docs:read"]))
)]
async fn get(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<PrdDocId>,
) -> ApiResult<Tagged<PrdDocView>> {
    let document = delivery.document::<Entity>(&scope, id.0).await?;
    Ok(Tagged::new(document.row.updated_at, document.into()))
}

/// Saves a changed PRD as a new version.
#[utoipa::path(
    patch, path = "/api/v1/prd_docs/{id}", tag = "prd_docs", operation_id = "prd_docs_update",
    params(("id" = PrdDocId, Path), ("If-Match" = Option<String>, Header)),
    request_body = PrdDocUpdate,
    responses((status = 200, body = PrdDocView)),
    extensions(("x-errors" = json!({"409": ["version_conflict", "document_not_editable"]}))),
    security(("api_key" = ["prd_docs:write"]))
)]
async fn update(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<PrdDocId>,
    IfMatch(version): IfMatch,
    Json(new): Json<PrdDocUpdate>,
) -> ApiResult<Tagged<PrdDocView>> {
    let document = delivery.update_prd_doc(&scope, id, &version, new).await?;
    Ok(Tagged::new(document.row.updated_at, document.into()))
}

/// Deletes a PRD with its versions. The designs and specifications that were made from it are deleted too.
#[utoipa::path(
    delete, path = "/api/v1/prd_docs/{id}", tag = "prd_docs", operation_id = "prd_docs_delete",
    params(("id" = PrdDocId, Path)),
    responses((status = 204)),
    security(("api_key" = ["prd_docs:write"]))
)]
async fn delete(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<PrdDocId>,
) -> ApiResult<StatusCode> {
    delivery.delete_prd_doc(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

version_routes! {
    entity: Entity, id: PrdDocId, view: PrdDocView, tag: "prd_docs",
    read: "prd_docs:read", write: "prd_docs:write",
    transition: "/api/v1/prd_docs/{id}/transition" "prd_docs_transition",
    versions: "/api/v1/prd_docs/{id}/versions" "prd_docs_versions_list",
    version: "/api/v1/prd_docs/{id}/versions/{number}" "prd_docs_versions_get",
    restore: "/api/v1/prd_docs/{id}/versions/{number}/restore" "prd_docs_versions_restore",
    compare: "/api/v1/prd_docs/{id}/compare" "prd_docs_versions_compare",
}
