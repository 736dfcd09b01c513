//! The routes of token issuers.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{Page, PageQuery, TokenIssuerId};
use loam_platform::seal::SealedSecret;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use super::service::{TokenIssuerCreate, TokenIssuerUpdate, shown_secret};
use crate::Identity;

/// An application that issues tokens for its end users.
#[derive(Serialize, ToSchema)]
pub struct TokenIssuerView {
    id: TokenIssuerId,
    name: String,
    /// `iss` of its tokens.
    issuer: String,
    /// `aud` of its tokens.
    audience: String,
    jwks_url: Option<String>,
    /// Never shown: `{"sealed": true, "last4": …}`.
    #[schema(value_type = Option<SealedSecret>)]
    secret: Option<Value>,
    #[schema(value_type = Vec<String>)]
    algorithms: Value,
    user_claim: String,
    role: String,
    auto_create_users: bool,
    is_active: bool,
    /// Whether another tenant registered the same `issuer` and `audience` earlier. If so, send `x-loam-tenant` with this
    /// tenant's slug or id with each request: without it the token may be resolved to the other tenant.
    needs_tenant_header: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TokenIssuerView {
    async fn new(identity: &Identity, row: Model) -> loam_kernel::Result<Self> {
        Ok(Self {
            needs_tenant_header: identity.is_claimed_before(&row).await?,
            id: row.id,
            secret: shown_secret(&row),
            name: row.name,
            issuer: row.issuer,
            audience: row.audience,
            jwks_url: row.jwks_url,
            algorithms: row.algorithms,
            user_claim: row.user_claim,
            role: row.role,
            auto_create_users: row.auto_create_users,
            is_active: row.is_active,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .with_state(identity)
}

/// Lists the tenant's token issuers, newest first.
#[utoipa::path(
    get, path = "/api/v1/token_issuers", tag = "token_issuers", operation_id = "token_issuers_list",
    params(PageQuery),
    responses((status = 200, body = Page<TokenIssuerView>)),
    security(("api_key" = ["token_issuers:read"]))
)]
async fn list(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<TokenIssuerView>>> {
    let Page { data, next_cursor, prev_cursor } = identity.list_token_issuers(&scope, &page).await?;
    let mut views = Vec::with_capacity(data.len());
    for row in data {
        views.push(TokenIssuerView::new(&identity, row).await?);
    }
    Ok(Answer(Page { data: views, next_cursor, prev_cursor }))
}

/// Registers a token issuer, so that end users authenticate with your application's own tokens (JWT).
#[utoipa::path(
    post, path = "/api/v1/token_issuers", tag = "token_issuers", operation_id = "token_issuers_create",
    request_body = TokenIssuerCreate,
    responses((status = 201, body = TokenIssuerView)),
    extensions(("x-errors" = json!({"409": ["already_exists"]}))),
    security(("api_key" = ["token_issuers:write"]))
)]
async fn create(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Json(new): Json<TokenIssuerCreate>,
) -> ApiResult<Tagged<TokenIssuerView>> {
    let issuer = identity.create_token_issuer(&scope, new).await?;
    Ok(created(issuer.updated_at, TokenIssuerView::new(&identity, issuer).await?))
}

/// Returns a token issuer.
#[utoipa::path(
    get, path = "/api/v1/token_issuers/{id}", tag = "token_issuers", operation_id = "token_issuers_get",
    params(("id" = TokenIssuerId, Path)),
    responses((status = 200, body = TokenIssuerView)),
    security(("api_key" = ["token_issuers:read"]))
)]
async fn get(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<TokenIssuerId>,
) -> ApiResult<Tagged<TokenIssuerView>> {
    let issuer = identity.get_token_issuer(&scope, id).await?;
    Ok(Tagged::new(issuer.updated_at, TokenIssuerView::new(&identity, issuer).await?))
}

/// Changes a token issuer. The change applies within a second.
#[utoipa::path(
    patch, path = "/api/v1/token_issuers/{id}", tag = "token_issuers", operation_id = "token_issuers_update",
    params(("id" = TokenIssuerId, Path), ("If-Match" = Option<String>, Header)),
    request_body = TokenIssuerUpdate,
    responses((status = 200, body = TokenIssuerView)),
    extensions(("x-errors" = json!({"400": ["secret_required"], "409": ["already_exists"]}))),
    security(("api_key" = ["token_issuers:write"]))
)]
async fn update(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<TokenIssuerId>,
    IfMatch(version): IfMatch,
    Json(new): Json<TokenIssuerUpdate>,
) -> ApiResult<Tagged<TokenIssuerView>> {
    let issuer = identity.update_token_issuer(&scope, id, &version, new).await?;
    Ok(Tagged::new(issuer.updated_at, TokenIssuerView::new(&identity, issuer).await?))
}

/// Deletes a token issuer. Its tokens are rejected within a second; its users remain.
#[utoipa::path(
    delete, path = "/api/v1/token_issuers/{id}", tag = "token_issuers", operation_id = "token_issuers_delete",
    params(("id" = TokenIssuerId, Path)),
    responses((status = 204)),
    security(("api_key" = ["token_issuers:write"]))
)]
async fn delete(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<TokenIssuerId>,
) -> ApiResult<StatusCode> {
    identity.delete_token_issuer(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
