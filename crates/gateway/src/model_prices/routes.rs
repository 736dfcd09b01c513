//! The routes of prices.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{ModelPriceId, Page, PageQuery};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use super::price::Price;
use super::service::{ModelPriceCreate, ModelPriceFilter, ModelPriceUpdate};
use crate::Gateway;

/// The price of a model at a provider, in US dollars per million tokens and per unit.
#[derive(Serialize, ToSchema)]
pub struct ModelPriceView {
    id: ModelPriceId,
    /// Name of the provider.
    provider: String,
    /// Name of the model at the provider; `*` for all without a price of their own.
    model: String,
    input_per_million: f64,
    /// Null: as `input_per_million`.
    cached_input_per_million: Option<f64>,
    /// Null: as `input_per_million`.
    cache_write_per_million: Option<f64>,
    output_per_million: f64,
    /// Per character, image, second or search, whichever a call is counted by; null: none.
    per_unit: Option<f64>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for ModelPriceView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            provider: row.provider,
            model: row.model,
            input_per_million: Price::to_usd(row.input_nano_usd),
            cached_input_per_million: row.cached_input_nano_usd.map(Price::to_usd),
            cache_write_per_million: row.cache_write_nano_usd.map(Price::to_usd),
            output_per_million: Price::to_usd(row.output_nano_usd),
            per_unit: row.unit_nano_usd.map(Price::to_usd),
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

/// The tenant's prices, newest first.
#[utoipa::path(
    get, path = "/api/v1/model_prices", tag = "model_prices", operation_id = "model_prices_list",
    params(ModelPriceFilter, PageQuery),
    responses((status = 200, body = Page<ModelPriceView>)),
    security(("api_key" = ["model_prices:read"]))
)]
async fn list(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Query(filter): Query<ModelPriceFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<ModelPriceView>>> {
    Ok(JsonResponse(gateway.list_prices(&scope, filter, &page).await?.map(ModelPriceView::from)))
}

/// Creates a price.
#[utoipa::path(
    post, path = "/api/v1/model_prices", tag = "model_prices", operation_id = "model_prices_create",
    request_body = ModelPriceCreate,
    responses((status = 201, body = ModelPriceView)),
    extensions(("x-errors" = json!({"409": ["already_exists"]}))),
    security(("api_key" = ["model_prices:write"]))
)]
async fn create(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Json(new): Json<ModelPriceCreate>,
) -> ApiResult<Tagged<ModelPriceView>> {
    let price = gateway.create_price(&scope, new).await?;
    Ok(created(price.updated_at, price.into()))
}

/// One price.
#[utoipa::path(
    get, path = "/api/v1/model_prices/{id}", tag = "model_prices", operation_id = "model_prices_get",
    params(("id" = ModelPriceId, Path)),
    responses((status = 200, body = ModelPriceView)),
    security(("api_key" = ["model_prices:read"]))
)]
async fn get(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<ModelPriceId>,
) -> ApiResult<Tagged<ModelPriceView>> {
    let price = gateway.get_price(&scope, id).await?;
    Ok(Tagged::new(price.updated_at, price.into()))
}

/// Changes a price, for calls from now on.
#[utoipa::path(
    patch, path = "/api/v1/model_prices/{id}", tag = "model_prices", operation_id = "model_prices_update",
    params(("id" = ModelPriceId, Path), ("If-Match" = Option<String>, Header)),
    request_body = ModelPriceUpdate,
    responses((status = 200, body = ModelPriceView)),
    security(("api_key" = ["model_prices:write"]))
)]
async fn update(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<ModelPriceId>,
    IfMatch(version): IfMatch,
    Json(new): Json<ModelPriceUpdate>,
) -> ApiResult<Tagged<ModelPriceView>> {
    let price = gateway.update_price(&scope, id, &version, new).await?;
    Ok(Tagged::new(price.updated_at, price.into()))
}

/// Deletes a price: calls from now on have no cost.
#[utoipa::path(
    delete, path = "/api/v1/model_prices/{id}", tag = "model_prices", operation_id = "model_prices_delete",
    params(("id" = ModelPriceId, Path)),
    responses((status = 204)),
    security(("api_key" = ["model_prices:write"]))
)]
async fn delete(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<ModelPriceId>,
) -> ApiResult<StatusCode> {
    gateway.delete_price(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
