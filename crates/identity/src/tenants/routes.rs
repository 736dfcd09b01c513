//! The routes of tenants.

use axum::Json as Answer;
use axum::extract::State;
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{Page, PageQuery, TenantId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Model, TenantStatus};
use super::quotas::TenantQuotas;
use super::service::{TenantCreate, TenantFilter, TenantUpdate};
use crate::Identity;
use crate::api_keys::routes::ApiKeyCreated;

/// A tenant: an isolated customer of the instance.
#[derive(Serialize, ToSchema)]
pub struct TenantView {
    id: TenantId,
    slug: String,
    name: String,
    status: TenantStatus,
    plan: Option<String>,
    quotas: TenantQuotas,
    #[schema(value_type = Object)]
    settings: Value,
    #[schema(value_type = Object)]
    metadata: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A new tenant with its first key, which is shown only once.
#[derive(Serialize, ToSchema)]
pub struct TenantCreated {
    #[serde(flatten)]
    tenant: TenantView,
    api_key: ApiKeyCreated,
}

impl TenantCreated {
    fn new(tenant: Model, key: crate::api_keys::service::NewKey) -> Self {
        Self { tenant: tenant.into(), api_key: key.into() }
    }
}

impl From<Model> for TenantView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            status: row.status,
            plan: row.plan,
            quotas: TenantQuotas::of(&row.quotas),
            settings: row.settings,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(get, update)).with_state(identity)
}

/// Lists all tenants, newest first; for operators.
#[utoipa::path(
    get, path = "/api/v1/tenants", tag = "tenants", operation_id = "tenants_list",
    params(TenantFilter, PageQuery),
    responses((status = 200, body = Page<TenantView>)),
    security(("api_key" = ["tenants:read"]))
)]
async fn list(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Query(filter): Query<TenantFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<TenantView>>> {
    Ok(Answer(identity.list_tenants(&scope, &filter, &page).await?.map(TenantView::from)))
}

/// Creates a tenant with its first key; for operators.
#[utoipa::path(
    post, path = "/api/v1/tenants", tag = "tenants", operation_id = "tenants_create",
    request_body = TenantCreate,
    responses((status = 201, body = TenantCreated)),
    extensions(("x-errors" = json!({"409": ["already_exists"]}))),
    security(("api_key" = ["tenants:write"]))
)]
async fn create(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Json(new): Json<TenantCreate>,
) -> ApiResult<impl IntoResponse> {
    let (tenant, key) = identity.create_tenant(&scope, new).await?;
    Ok(created(tenant.updated_at, TenantCreated::new(tenant, key)))
}

/// Returns a tenant: any for an operator, the own one for everybody else.
#[utoipa::path(
    get, path = "/api/v1/tenants/{id}", tag = "tenants", operation_id = "tenants_get",
    params(("id" = TenantId, Path)),
    responses((status = 200, body = TenantView)),
    security(("api_key" = ["tenants:read"]))
)]
async fn get(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<TenantId>,
) -> ApiResult<Tagged<TenantView>> {
    let tenant = identity.get_tenant(&scope, id).await?;
    Ok(Tagged::new(tenant.updated_at, tenant.into()))
}

/// Changes a tenant; for operators.
#[utoipa::path(
    patch, path = "/api/v1/tenants/{id}", tag = "tenants", operation_id = "tenants_update",
    params(("id" = TenantId, Path), ("If-Match" = Option<String>, Header)),
    request_body = TenantUpdate,
    responses((status = 200, body = TenantView)),
    extensions(("x-errors" = json!({"409": ["already_exists"]}))),
    security(("api_key" = ["tenants:write"]))
)]
async fn update(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<TenantId>,
    IfMatch(version): IfMatch,
    Json(new): Json<TenantUpdate>,
) -> ApiResult<Tagged<TenantView>> {
    let tenant = identity.update_tenant(&scope, id, &version, new).await?;
    Ok(Tagged::new(tenant.updated_at, tenant.into()))
}
