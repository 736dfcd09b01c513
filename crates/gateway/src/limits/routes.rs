//! The routes of limits.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{LimitId, Page, PageQuery};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::entity::{Model, SubjectType};
use super::service::{LimitCreate, LimitFilter, LimitUpdate};
use crate::Gateway;
use crate::model_prices::Price;

/// The usage limits of a tenant, project, user or key.
#[derive(Serialize, ToSchema)]
pub struct LimitView {
    id: LimitId,
    subject_type: SubjectType,
    /// ID of the tenant, project, user or key.
    subject_id: Uuid,
    requests_per_minute: Option<i64>,
    tokens_per_minute: Option<i64>,
    concurrency: Option<i64>,
    /// US dollars.
    budget_per_day: Option<f64>,
    /// US dollars.
    budget_per_month: Option<f64>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for LimitView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            subject_type: row.subject_type,
            subject_id: row.subject_id,
            requests_per_minute: row.requests_per_minute,
            tokens_per_minute: row.tokens_per_minute,
            concurrency: row.concurrency,
            budget_per_day: row.budget_day_nano_usd.map(Price::to_usd),
            budget_per_month: row.budget_month_nano_usd.map(Price::to_usd),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(crate) fn router(gateway: Gateway) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .with_state(gateway)
}

/// The tenant's limits, newest first.
#[utoipa::path(
    get, path = "/api/v1/limits", tag = "limits", operation_id = "limits_list",
    params(LimitFilter, PageQuery),
    responses((status = 200, body = Page<LimitView>)),
    security(("api_key" = ["limits:read"]))
)]
async fn list(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Query(filter): Query<LimitFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<LimitView>>> {
    Ok(JsonResponse(gateway.list_limits(&scope, filter, &page).await?.map(LimitView::from)))
}

/// Creates a limit. Usage of the current day and month counts against it.
#[utoipa::path(
    post, path = "/api/v1/limits", tag = "limits", operation_id = "limits_create",
    request_body = LimitCreate,
    responses((status = 201, body = LimitView)),
    extensions(("x-errors" = json!({"400": ["empty_limit"], "409": ["already_exists"]}))),
    security(("api_key" = ["limits:write"]))
)]
async fn create(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Json(new): Json<LimitCreate>,
) -> ApiResult<Tagged<LimitView>> {
    let limit = gateway.create_limit(&scope, new).await?;
    Ok(created(limit.updated_at, limit.into()))
}

/// One limit.
#[utoipa::path(
    get, path = "/api/v1/limits/{id}", tag = "limits", operation_id = "limits_get",
    params(("id" = LimitId, Path)),
    responses((status = 200, body = LimitView)),
    security(("api_key" = ["limits:read"]))
)]
async fn get(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<LimitId>,
) -> ApiResult<Tagged<LimitView>> {
    let limit = gateway.get_limit(&scope, id).await?;
    Ok(Tagged::new(limit.updated_at, limit.into()))
}

/// Changes a limit; calls are subject to the change within a second.
#[utoipa::path(
    patch, path = "/api/v1/limits/{id}", tag = "limits", operation_id = "limits_update",
    params(("id" = LimitId, Path), ("If-Match" = Option<String>, Header)),
    request_body = LimitUpdate,
    responses((status = 200, body = LimitView)),
    extensions(("x-errors" = json!({"400": ["empty_limit"]}))),
    security(("api_key" = ["limits:write"]))
)]
async fn update(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<LimitId>,
    IfMatch(version): IfMatch,
    Json(new): Json<LimitUpdate>,
) -> ApiResult<Tagged<LimitView>> {
    let limit = gateway.update_limit(&scope, id, &version, new).await?;
    Ok(Tagged::new(limit.updated_at, limit.into()))
}

/// Deletes a limit.
#[utoipa::path(
    delete, path = "/api/v1/limits/{id}", tag = "limits", operation_id = "limits_delete",
    params(("id" = LimitId, Path)),
    responses((status = 204)),
    security(("api_key" = ["limits:write"]))
)]
async fn delete(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<LimitId>,
) -> ApiResult<StatusCode> {
    gateway.delete_limit(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
