//! The route of tokens.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Json};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service::TokenCreate;
use crate::Identity;

/// A token, which is shown only once.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenCreated {
    /// The token. Send it as `Authorization: Bearer …`, wherever an API key is accepted.
    token: String,
    /// `Bearer`.
    token_type: &'static str,
    expires_at: DateTime<Utc>,
    /// Maximum permissions.
    permissions: Vec<String>,
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(create)).with_state(identity)
}

/// Exchanges an API key or a login session for a short-lived token (JWT).
///
/// The token has the same permissions or fewer. It is valid until it expires, the key is revoked or the user is deactivated.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens", operation_id = "tokens_create",
    request_body = TokenCreate,
    responses((status = 201, body = TokenCreated)),
    extensions(("x-errors" = json!({"403": ["not_exchangeable"]}))),
    security(("api_key" = ["tokens:create"]))
)]
async fn create(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Json(new): Json<TokenCreate>,
) -> ApiResult<impl IntoResponse> {
    let made = identity.create_token(&scope, new).await?;
    let body = TokenCreated {
        token: made.token.to_string(),
        token_type: "Bearer",
        expires_at: made.expires_at,
        permissions: made.permissions,
    };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Answer(body)))
}
