//! The routes of providers.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{AiProviderId, Page, PageQuery};
use loam_providers::kind;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use super::service::{AiProviderCreate, AiProviderFilter, AiProviderUpdate};
use super::stored_config::shown_config;
use crate::{Gateway, ProviderTest};

/// A model provider that the tenant has configured.
#[derive(Serialize, ToSchema)]
pub struct AiProviderView {
    id: AiProviderId,
    /// First half of `provider/model`.
    name: String,
    /// Wire format.
    kind: String,
    display_name: String,
    /// JSON Schema of `config`.
    #[schema(value_type = Object)]
    config_schema: Value,
    /// The configuration; secrets are shown as `{"sealed": true, "last4": …}`.
    #[schema(value_type = Object)]
    config: Value,
    is_active: bool,
    #[schema(value_type = Object)]
    metadata: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for AiProviderView {
    fn from(row: Model) -> Self {
        Self {
            config: shown_config(&row),
            config_schema: kind(&row.kind).map_or(Value::Null, |kind| kind.config_schema.clone()),
            id: row.id,
            name: row.name,
            kind: row.kind,
            display_name: row.display_name,
            is_active: row.is_active,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// How to delete a provider.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AiProviderDelete {
    /// Remove it from the routes that use it, and delete routes that have no other target.
    #[serde(default)]
    cascade: bool,
}

pub(crate) fn router(gateway: Gateway) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(test))
        .with_state(gateway)
}

/// The tenant's providers, newest first.
#[utoipa::path(
    get, path = "/api/v1/ai_providers", tag = "ai_providers", operation_id = "ai_providers_list",
    params(AiProviderFilter, PageQuery),
    responses((status = 200, body = Page<AiProviderView>)),
    security(("api_key" = ["ai_providers:read"]))
)]
async fn list(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Query(filter): Query<AiProviderFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<AiProviderView>>> {
    Ok(JsonResponse(gateway.list_providers(&scope, filter, &page).await?.map(AiProviderView::from)))
}

/// Creates a provider. It replaces an inactive one of a new tenant (`openai`, `qwen`, `dify`) that nobody has changed.
#[utoipa::path(
    post, path = "/api/v1/ai_providers", tag = "ai_providers", operation_id = "ai_providers_create",
    request_body = AiProviderCreate,
    responses((status = 201, body = AiProviderView)),
    extensions(("x-errors" = json!({"409": ["already_exists"]}))),
    security(("api_key" = ["ai_providers:write"]))
)]
async fn create(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Json(new): Json<AiProviderCreate>,
) -> ApiResult<Tagged<AiProviderView>> {
    let provider = gateway.create_provider(&scope, new).await?;
    Ok(created(provider.updated_at, provider.into()))
}

/// One provider.
#[utoipa::path(
    get, path = "/api/v1/ai_providers/{id}", tag = "ai_providers", operation_id = "ai_providers_get",
    params(("id" = AiProviderId, Path)),
    responses((status = 200, body = AiProviderView)),
    security(("api_key" = ["ai_providers:read"]))
)]
async fn get(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<AiProviderId>,
) -> ApiResult<Tagged<AiProviderView>> {
    let provider = gateway.get_provider(&scope, id).await?;
    Ok(Tagged::new(provider.updated_at, provider.into()))
}

/// Changes a provider; calls use the change within a second.
#[utoipa::path(
    patch, path = "/api/v1/ai_providers/{id}", tag = "ai_providers", operation_id = "ai_providers_update",
    params(("id" = AiProviderId, Path), ("If-Match" = Option<String>, Header)),
    request_body = AiProviderUpdate,
    responses((status = 200, body = AiProviderView)),
    extensions(("x-errors" = json!({"400": ["secret_required"], "409": ["already_exists"]}))),
    security(("api_key" = ["ai_providers:write"]))
)]
async fn update(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<AiProviderId>,
    IfMatch(version): IfMatch,
    Json(new): Json<AiProviderUpdate>,
) -> ApiResult<Tagged<AiProviderView>> {
    let provider = gateway.update_provider(&scope, id, &version, new).await?;
    Ok(Tagged::new(provider.updated_at, provider.into()))
}

/// Deletes a provider. Its calls stay in the ledger. While routes use it, it is deleted only with `cascade`.
#[utoipa::path(
    delete, path = "/api/v1/ai_providers/{id}", tag = "ai_providers", operation_id = "ai_providers_delete",
    params(("id" = AiProviderId, Path), AiProviderDelete),
    responses((status = 204)),
    extensions(("x-errors" = json!({"409": ["in_use"]}))),
    security(("api_key" = ["ai_providers:write"]))
)]
async fn delete(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<AiProviderId>,
    Query(how): Query<AiProviderDelete>,
) -> ApiResult<StatusCode> {
    gateway.delete_provider(&scope, id, how.cascade).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tests the connection to a provider: the URL, the latency, and the models it lists. Free at the provider.
#[utoipa::path(
    post, path = "/api/v1/ai_providers/{id}/test", tag = "ai_providers", operation_id = "ai_providers_test",
    params(("id" = AiProviderId, Path)),
    responses(
        (status = 200, body = ProviderTest, description = "the result, for a success and a failure"),
    ),
    extensions(("x-errors" = json!({"502": ["provider_unreachable"]}))),
    security(("api_key" = ["ai_providers:write"]))
)]
async fn test(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<AiProviderId>,
) -> ApiResult<JsonResponse<ProviderTest>> {
    let provider = gateway.get_provider(&scope, id).await?;
    Ok(JsonResponse(gateway.proxy().test_provider(provider).await?))
}
