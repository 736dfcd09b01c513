//! The HTTP routes of model routes.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{ModelRouteId, Page, PageQuery};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use super::health::TargetHealth;
use super::service::{ModelRouteCreate, ModelRouteFilter, ModelRouteUpdate};
use super::{CoolDownRule, Retries, RouteTimeouts, Target};
use crate::Gateway;
use crate::proxy::RouteTest;

/// An alias, and the models that its calls are sent to.
#[derive(Serialize, ToSchema)]
pub struct ModelRouteView {
    id: ModelRouteId,
    /// The alias that clients send as `model`.
    alias: String,
    /// The targets of calls.
    #[schema(value_type = Vec<Target>)]
    targets: Value,
    /// Timeouts of a call's steps.
    #[schema(value_type = RouteTimeouts)]
    timeouts: Value,
    /// How often all targets are retried.
    #[schema(value_type = Retries)]
    retries: Value,
    /// When a failing target cools down.
    #[schema(value_type = CoolDownRule)]
    cool_down: Value,
    /// Seconds for which a response is cached for identical requests; null: not cached.
    cache_seconds: Option<i32>,
    is_active: bool,
    #[schema(value_type = Object)]
    metadata: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for ModelRouteView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            alias: row.alias,
            targets: row.targets,
            timeouts: row.timeouts,
            retries: row.retries,
            cool_down: row.cool_down,
            cache_seconds: row.cache_seconds,
            is_active: row.is_active,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The state of a route's targets.
#[derive(Serialize, ToSchema)]
struct RouteHealth {
    /// In the order in which they are called.
    data: Vec<TargetHealth>,
}

pub(crate) fn router(gateway: Gateway) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(health))
        .routes(routes!(test))
        .with_state(gateway)
}

/// The tenant's routes, newest first.
#[utoipa::path(
    get, path = "/api/v1/model_routes", tag = "model_routes", operation_id = "model_routes_list",
    params(ModelRouteFilter, PageQuery),
    responses((status = 200, body = Page<ModelRouteView>)),
    security(("api_key" = ["model_routes:read"]))
)]
async fn list(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Query(filter): Query<ModelRouteFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<ModelRouteView>>> {
    Ok(JsonResponse(gateway.list_routes(&scope, filter, &page).await?.map(ModelRouteView::from)))
}

/// Creates a route.
#[utoipa::path(
    post, path = "/api/v1/model_routes", tag = "model_routes", operation_id = "model_routes_create",
    request_body = ModelRouteCreate,
    responses((status = 201, body = ModelRouteView)),
    extensions(("x-errors" = json!({"409": ["already_exists"]}))),
    security(("api_key" = ["model_routes:write"]))
)]
async fn create(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Json(new): Json<ModelRouteCreate>,
) -> ApiResult<Tagged<ModelRouteView>> {
    let route = gateway.create_route(&scope, new).await?;
    Ok(created(route.updated_at, route.into()))
}

/// One route.
#[utoipa::path(
    get, path = "/api/v1/model_routes/{id}", tag = "model_routes", operation_id = "model_routes_get",
    params(("id" = ModelRouteId, Path)),
    responses((status = 200, body = ModelRouteView)),
    security(("api_key" = ["model_routes:read"]))
)]
async fn get(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<ModelRouteId>,
) -> ApiResult<Tagged<ModelRouteView>> {
    let route = gateway.get_route(&scope, id).await?;
    Ok(Tagged::new(route.updated_at, route.into()))
}

/// Changes a route; calls use the change within a second.
#[utoipa::path(
    patch, path = "/api/v1/model_routes/{id}", tag = "model_routes", operation_id = "model_routes_update",
    params(("id" = ModelRouteId, Path), ("If-Match" = Option<String>, Header)),
    request_body = ModelRouteUpdate,
    responses((status = 200, body = ModelRouteView)),
    extensions(("x-errors" = json!({"409": ["already_exists"]}))),
    security(("api_key" = ["model_routes:write"]))
)]
async fn update(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<ModelRouteId>,
    IfMatch(version): IfMatch,
    Json(new): Json<ModelRouteUpdate>,
) -> ApiResult<Tagged<ModelRouteView>> {
    let route = gateway.update_route(&scope, id, &version, new).await?;
    Ok(Tagged::new(route.updated_at, route.into()))
}

/// Deletes a route, unless another route has it as a target.
#[utoipa::path(
    delete, path = "/api/v1/model_routes/{id}", tag = "model_routes", operation_id = "model_routes_delete",
    params(("id" = ModelRouteId, Path)),
    responses((status = 204)),
    extensions(("x-errors" = json!({"409": ["in_use"]}))),
    security(("api_key" = ["model_routes:write"]))
)]
async fn delete(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<ModelRouteId>,
) -> ApiResult<StatusCode> {
    gateway.delete_route(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the state of a route's targets, as the node that responds knows it. Each node learns it from its own calls.
#[utoipa::path(
    get, path = "/api/v1/model_routes/{id}/health", tag = "model_routes", operation_id = "model_routes_health",
    params(("id" = ModelRouteId, Path)),
    responses((status = 200, body = RouteHealth)),
    security(("api_key" = ["model_routes:read"]))
)]
async fn health(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<ModelRouteId>,
) -> ApiResult<JsonResponse<RouteHealth>> {
    Ok(JsonResponse(RouteHealth { data: gateway.route_health(&scope, id).await? }))
}

/// Tests a route with one minimal chat completion.
///
/// The call takes the path of every other: it is recorded for the caller, costs, and counts against limits. Requires
/// `gateway:call` too.
#[utoipa::path(
    post, path = "/api/v1/model_routes/{id}/test", tag = "model_routes", operation_id = "model_routes_test",
    params(("id" = ModelRouteId, Path)),
    responses(
        (status = 200, body = RouteTest, description = "the result, for a success and a failure"),
    ),
    security(("api_key" = ["model_routes:write"]))
)]
async fn test(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<ModelRouteId>,
) -> ApiResult<JsonResponse<RouteTest>> {
    scope.require("gateway:call")?;
    let route = gateway.get_route(&scope, id).await?;
    Ok(JsonResponse(gateway.proxy().test_route(&scope, &route.alias).await?))
}
