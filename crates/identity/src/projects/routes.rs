//! The routes of projects.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{Page, PageQuery, ProjectId, UserId};
use loam_platform::seal::{SealedSecret, masked};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{DeliveryStatus, Model, MonitoringStatus};
use super::keys::{RotateKey, SEND};
use super::service::{MonitoringConfig, NewProject, ProjectCreate, ProjectFilter, ProjectUpdate};
use crate::Identity;

/// An application of the tenant.
#[derive(Serialize, ToSchema)]
pub struct ProjectView {
    id: ProjectId,
    name: String,
    description: Option<String>,
    framework: Option<String>,
    owner_id: Option<UserId>,
    /// The ingest key, sealed: `{"sealed": true, "last4": …}`.
    #[schema(value_type = SealedSecret)]
    project_key: Value,
    monitoring_status: MonitoringStatus,
    #[schema(value_type = MonitoringConfig)]
    config: Value,
    delivery_status: DeliveryStatus,
    #[schema(value_type = Object)]
    tech_stack: Value,
    #[schema(value_type = Object)]
    timeline: Value,
    deadline: Option<DateTime<Utc>>,
    /// Time of the last telemetry.
    last_activity: Option<DateTime<Utc>>,
    #[schema(value_type = Object)]
    metadata: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for ProjectView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            framework: row.framework,
            owner_id: row.owner_id,
            project_key: masked(&serde_json::from_str(&row.project_key).unwrap_or(Value::Null)),
            monitoring_status: row.monitoring_status,
            config: row.config,
            delivery_status: row.delivery_status,
            tech_stack: row.tech_stack,
            timeline: row.timeline,
            deadline: row.deadline,
            last_activity: row.last_activity,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A new project with its ingest key, which is shown only once.
#[derive(Serialize, ToSchema)]
pub struct ProjectCreated {
    #[serde(flatten)]
    project: ProjectView,
    /// The ingest key, which can only send telemetry. Store it: it is not shown again. Null for a caller without
    /// `telemetry:send`, who must not gain this permission.
    ingest_key: Option<String>,
}

impl From<NewProject> for ProjectCreated {
    fn from(new: NewProject) -> Self {
        Self { ingest_key: Some(new.project_key.to_string()), project: new.row.into() }
    }
}

/// A project with its new ingest key, which is shown only once.
#[derive(Serialize, ToSchema)]
pub struct ProjectKeyRotated {
    #[serde(flatten)]
    project: ProjectCreated,
    /// Until when the old key is valid.
    old_key_valid_until: DateTime<Utc>,
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(rotate_key))
        .with_state(identity)
}

/// Lists the tenant's projects, newest first.
#[utoipa::path(
    get, path = "/api/v1/projects", tag = "projects", operation_id = "projects_list",
    params(ProjectFilter, PageQuery),
    responses((status = 200, body = Page<ProjectView>)),
    security(("api_key" = ["projects:read"]))
)]
async fn list(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Query(filter): Query<ProjectFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<ProjectView>>> {
    Ok(Answer(identity.list_projects(&scope, &filter, &page).await?.map(ProjectView::from)))
}

/// Creates a project.
#[utoipa::path(
    post, path = "/api/v1/projects", tag = "projects", operation_id = "projects_create",
    request_body = ProjectCreate,
    responses((status = 201, body = ProjectCreated)),
    extensions(("x-errors" = json!({"409": ["already_exists"]}))),
    security(("api_key" = ["projects:write"]))
)]
async fn create(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Json(new): Json<ProjectCreate>,
) -> ApiResult<Tagged<ProjectCreated>> {
    let new = identity.create_project(&scope, new).await?;
    let version = new.row.updated_at;
    let mut view = ProjectCreated::from(new);
    view.ingest_key.take_if(|_| !scope.permissions().allows(SEND));
    Ok(created(version, view))
}

/// Returns a project.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}", tag = "projects", operation_id = "projects_get",
    params(("id" = ProjectId, Path)),
    responses((status = 200, body = ProjectView)),
    security(("api_key" = ["projects:read"]))
)]
async fn get(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<ProjectId>,
) -> ApiResult<Tagged<ProjectView>> {
    let project = identity.get_project(&scope, id).await?;
    Ok(Tagged::new(project.updated_at, project.into()))
}

/// Changes a project.
#[utoipa::path(
    patch, path = "/api/v1/projects/{id}", tag = "projects", operation_id = "projects_update",
    params(("id" = ProjectId, Path), ("If-Match" = Option<String>, Header)),
    request_body = ProjectUpdate,
    responses((status = 200, body = ProjectView)),
    extensions(("x-errors" = json!({"409": ["already_exists", "invalid_transition"]}))),
    security(("api_key" = ["projects:write"]))
)]
async fn update(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<ProjectId>,
    IfMatch(version): IfMatch,
    Json(new): Json<ProjectUpdate>,
) -> ApiResult<Tagged<ProjectView>> {
    let project = identity.update_project(&scope, id, &version, new).await?;
    Ok(Tagged::new(project.updated_at, project.into()))
}

/// Rotates a project's ingest key; the caller also needs `telemetry:send`. The old key stays valid for a grace period, so
/// that applications can be updated one by one.
#[utoipa::path(
    post, path = "/api/v1/projects/{id}/rotate_key", tag = "projects", operation_id = "projects_rotate_key",
    params(("id" = ProjectId, Path), ("If-Match" = Option<String>, Header)),
    request_body = RotateKey,
    responses((status = 200, body = ProjectKeyRotated)),
    security(("api_key" = ["projects:write"]))
)]
async fn rotate_key(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<ProjectId>,
    IfMatch(version): IfMatch,
    Json(how): Json<RotateKey>,
) -> ApiResult<Tagged<ProjectKeyRotated>> {
    let (new, old_key_valid_until) = identity.rotate_project_key(&scope, id, &version, &how).await?;
    Ok(Tagged::new(new.row.updated_at, ProjectKeyRotated { project: new.into(), old_key_valid_until }))
}

/// Deletes a project and the API keys that are bound to it. Jobs delete its telemetry and detach its sessions and channels,
/// which stay; its calls stay in the ledger.
#[utoipa::path(
    delete, path = "/api/v1/projects/{id}", tag = "projects", operation_id = "projects_delete",
    params(("id" = ProjectId, Path)),
    responses((status = 204)),
    security(("api_key" = ["projects:write"]))
)]
async fn delete(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<ProjectId>,
) -> ApiResult<StatusCode> {
    identity.delete_project(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
