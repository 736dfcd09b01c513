//! The routes of technical designs.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{ApiSpecId, Page, PageQuery, PrdDocId, ProjectId, TechDesignId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::content::{Architecture, Decision, RiskAssessment};
use super::entity::{ArchitectureType, Entity, Model};
use super::service::{TechDesignCreate, TechDesignFilter, TechDesignUpdate};
use crate::Delivery;
use crate::document_versions::version_routes;
use crate::documents::{Current, DocumentStatus};

/// A technical design, without its content.
#[derive(Serialize, ToSchema)]
pub struct TechDesignSummary {
    id: TechDesignId,
    project_id: ProjectId,
    prd_id: PrdDocId,
    title: Option<String>,
    architecture_type: Option<ArchitectureType>,
    /// The API specification of the application.
    api_spec_id: Option<ApiSpecId>,
    status: DocumentStatus,
    /// Number of the current version: `base_version` of a change.
    version: i64,
    /// Number of the approved version.
    approved_version: Option<i64>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for TechDesignSummary {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            prd_id: row.prd_id,
            title: row.title,
            architecture_type: row.architecture_type,
            api_spec_id: row.api_spec_id,
            status: row.status,
            version: row.version,
            approved_version: row.approved_version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A technical design.
#[derive(Serialize, ToSchema)]
pub struct TechDesignView {
    #[serde(flatten)]
    design: TechDesignSummary,
    architecture: Option<Architecture>,
    /// Diagrams in PlantUML.
    plantuml_code: Option<String>,
    /// Decisions, in their order.
    decision_log: Vec<Decision>,
    /// Risks, each 0 to 10, with the reasons.
    risk_assessment: Option<RiskAssessment>,
}

impl From<Current<Entity>> for TechDesignView {
    fn from(current: Current<Entity>) -> Self {
        let Current { row, content } = current;
        Self {
            design: row.into(),
            architecture: content.architecture,
            plantuml_code: content.plantuml_code,
            decision_log: content.decision_log,
            risk_assessment: content.risk_assessment,
        }
    }
}

pub(crate) fn router() -> OpenApiRouter<Delivery> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .merge(versions_router())
}

/// Lists technical designs without their content, newest first.
#[utoipa::path(
    get, path = "/api/v1/tech_designs", tag = "tech_designs", operation_id = "tech_designs_list",
    params(TechDesignFilter, PageQuery),
    responses((status = 200, body = Page<TechDesignSummary>)),
    security(("api_key" = ["tech_designs:read"]))
)]
async fn list(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Query(filter): Query<TechDesignFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<TechDesignSummary>>> {
    Ok(JsonResponse(delivery.list_tech_designs(&scope, &filter, &page).await?.map(TechDesignSummary::from)))
}

/// Creates a technical design.
#[utoipa::path(
    post, path = "/api/v1/tech_designs", tag = "tech_designs", operation_id = "tech_designs_create",
    request_body = TechDesignCreate,
    responses((status = 201, body = TechDesignView)),
    security(("api_key" = ["tech_designs:write"]))
)]
async fn create(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Json(new): Json<TechDesignCreate>,
) -> ApiResult<Tagged<TechDesignView>> {
    let document = delivery.create_tech_design(&scope, new).await?;
    Ok(created(document.row.updated_at, document.into()))
}

/// Gets a technical design with its current content.
#[utoipa::path(
    get, path = "/api/v1/tech_designs/{id}", tag = "tech_designs", operation_id = "tech_designs_get",
    params(("id" = TechDesignId, Path)),
    responses((status = 200, body = TechDesignView)),
    security(("api_key" = ["tech_designs:read"]))
)]
async fn get(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<TechDesignId>,
) -> ApiResult<Tagged<TechDesignView>> {
    let document = delivery.document::<Entity>(&scope, id.0).await?;
    Ok(Tagged::new(document.row.updated_at, document.into()))
}

/// Saves a changed technical design, as a new version if its content is another one.
#[utoipa::path(
    patch, path = "/api/v1/tech_designs/{id}", tag = "tech_designs", operation_id = "tech_designs_update",
    params(("id" = TechDesignId, Path), ("If-Match" = Option<String>, Header)),
    request_body = TechDesignUpdate,
    responses((status = 200, body = TechDesignView)),
    extensions(("x-errors" = json!({"409": ["version_conflict", "document_not_editable"]}))),
    security(("api_key" = ["tech_designs:write"]))
)]
async fn update(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<TechDesignId>,
    IfMatch(version): IfMatch,
    Json(new): Json<TechDesignUpdate>,
) -> ApiResult<Tagged<TechDesignView>> {
    let document = delivery.update_tech_design(&scope, id, &version, new).await?;
    Ok(Tagged::new(document.row.updated_at, document.into()))
}

/// Deletes a technical design with its versions. The API specifications that were made from it are deleted too.
#[utoipa::path(
    delete, path = "/api/v1/tech_designs/{id}", tag = "tech_designs", operation_id = "tech_designs_delete",
    params(("id" = TechDesignId, Path)),
    responses((status = 204)),
    security(("api_key" = ["tech_designs:write"]))
)]
async fn delete(
    State(delivery): State<Delivery>,
    Caller(scope): Caller,
    Path(id): Path<TechDesignId>,
) -> ApiResult<StatusCode> {
    delivery.delete_tech_design(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

version_routes! {
    entity: Entity, id: TechDesignId, view: TechDesignView, tag: "tech_designs",
    read: "tech_designs:read", write: "tech_designs:write",
    transition: "/api/v1/tech_designs/{id}/transition" "tech_designs_transition",
    versions: "/api/v1/tech_designs/{id}/versions" "tech_designs_versions_list",
    version: "/api/v1/tech_designs/{id}/versions/{number}" "tech_designs_versions_get",
    restore: "/api/v1/tech_designs/{id}/versions/{number}/restore" "tech_designs_versions_restore",
    compare: "/api/v1/tech_designs/{id}/compare" "tech_designs_versions_compare",
}
