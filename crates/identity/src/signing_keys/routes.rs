//! The routes of signing keys.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Query};
use loam_kernel::{Page, PageQuery, SigningKeyId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use crate::Identity;
use crate::jwt::Jwk;

/// A current or former signing key; its private half is never shown.
#[derive(Serialize, ToSchema)]
pub struct SigningKeyView {
    id: SigningKeyId,
    /// Its name in tokens and in the JWKS.
    kid: String,
    algorithm: String,
    /// Time of its last signature; null for the current key.
    retired_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Model> for SigningKeyView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            kid: row.kid,
            algorithm: row.algorithm,
            retired_at: row.retired_at,
            created_at: row.created_at,
        }
    }
}

/// Public keys (RFC 7517).
#[derive(Serialize, ToSchema)]
pub(crate) struct Jwks {
    #[schema(value_type = Vec<Jwk>)]
    keys: Value,
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(rotate))
        .routes(routes!(jwks))
        .with_state(identity)
}

/// Lists the signing keys of Loam's tokens, newest first; for operators.
#[utoipa::path(
    get, path = "/api/v1/signing_keys", tag = "tokens", operation_id = "signing_keys_list",
    params(PageQuery),
    responses((status = 200, body = Page<SigningKeyView>)),
    security(("api_key" = ["signing_keys:read"]))
)]
async fn list(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<SigningKeyView>>> {
    Ok(Answer(identity.list_signing_keys(&scope, &page).await?.map(SigningKeyView::from)))
}

/// Rotates the signing key; tokens of the previous key stay valid until they expire. For operators.
#[utoipa::path(
    post, path = "/api/v1/signing_keys/rotate", tag = "tokens", operation_id = "signing_keys_rotate",
    responses((status = 201, body = SigningKeyView)),
    security(("api_key" = ["signing_keys:write"]))
)]
async fn rotate(State(identity): State<Identity>, Caller(scope): Caller) -> ApiResult<impl IntoResponse> {
    let key = identity.rotate_signing_key(&scope).await?;
    Ok((StatusCode::CREATED, Answer(SigningKeyView::from(key))))
}

/// Returns the public keys (JWKS) for the verification of Loam's tokens.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "tokens", operation_id = "jwks",
    responses((status = 200, body = Jwks)), security(())
)]
async fn jwks(State(identity): State<Identity>) -> ApiResult<impl IntoResponse> {
    let keys = identity.signing_keys.get().await?;
    let keys = serde_json::to_value(&keys.public).map_err(loam_kernel::Error::internal)?;
    Ok(([(header::CACHE_CONTROL, "public, max-age=300")], Answer(Jwks { keys })))
}
