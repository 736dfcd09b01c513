//! The routes of limits.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{LimitId, Page, PageQuery};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service::{LimitCreate, LimitFilter, LimitUpdate};
use super::view::LimitView;
use crate::Gateway;

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
    let limits = gateway.list_limits(&scope, filter, &page).await?;
    Ok(JsonResponse(gateway.view_limits_page(&scope, limits).await?))
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
    Ok(created(limit.updated_at, gateway.view_limit(&scope, limit).await?))
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
    Ok(Tagged::new(limit.updated_at, gateway.view_limit(&scope, limit).await?))
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
    Ok(Tagged::new(limit.updated_at, gateway.view_limit(&scope, limit).await?))
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
