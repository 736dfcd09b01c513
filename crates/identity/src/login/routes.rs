//! The routes for logging in and out.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::{Extension, Json as Answer};
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Json};
use loam_kernel::{LoginSessionId, Origin, Scope, TenantId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service::{LogIn, PasswordChange};
use super::{cookie, csrf, device};
use crate::users::routes::UserView;
use crate::{Identity, users};

/// Responses with session data must not be cached.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A new login session; the session token is only in the cookie.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoggedInView {
    session_id: LoginSessionId,
    /// Send it as `x-loam-csrf` with every request that changes something.
    csrf_token: String,
    expires_at: DateTime<Utc>,
    user: UserView,
    /// Whether every other operation is blocked until `POST /api/v1/session/password`.
    password_change_required: bool,
}

/// The caller and its permissions.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    tenant_id: TenantId,
    /// Slug of the tenant.
    tenant_slug: String,
    /// Display name of the tenant.
    tenant_name: String,
    /// `user:<id>`, `api_key:<id>`, `service:…`, `end_user:<id>`: as in the audit trail.
    actor: String,
    /// The acting user, if any.
    user: Option<UserView>,
    /// Permissions; `*` for all.
    permissions: Vec<String>,
    /// Whether the caller is an operator of the instance.
    operator: bool,
    /// Only for a login session.
    session_id: Option<LoginSessionId>,
    /// Only for a login session: send it as `x-loam-csrf` with every request that changes something.
    csrf_token: Option<String>,
    /// Whether every other operation is blocked until `POST /api/v1/session/password`.
    password_change_required: bool,
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(log_in))
        .routes(routes!(log_out))
        .routes(routes!(session))
        .routes(routes!(change_password))
        .with_state(identity)
}

/// Logs a user in with a password. The response sets the session cookie, and a second cookie that identifies the browser:
/// with it the right password is still accepted while others' failed attempts lock the account.
#[utoipa::path(
    post, path = "/api/v1/login", tag = "login", operation_id = "log_in",
    request_body = LogIn,
    responses((status = 200, body = LoggedInView)),
    extensions(("x-errors" = json!({
        "401": ["wrong_credentials"],
        "403": ["tenant_suspended", "tenant_archived", "other_origin"],
        "429": ["too_many_logins", "login_busy"]
    }))),
    security(())
)]
async fn log_in(
    State(identity): State<Identity>,
    Extension(origin): Extension<Arc<Origin>>,
    headers: HeaderMap,
    Json(new): Json<LogIn>,
) -> ApiResult<impl IntoResponse> {
    let public_url = identity.config.public_url.as_deref();
    csrf::check_origin(&headers, public_url)?;
    let made = identity.log_in(origin.clone(), &headers, new).await?;
    let lifetime = identity.config.session_lifetime;
    let cookie = cookie::set(&headers, &origin, public_url, &made.token, lifetime)?;
    let (user, hash) = (made.user.id, &made.password_hash);
    let known = device::cookie(&identity.clock, &headers, &origin, public_url, user, hash, made.device)?;
    let view = LoggedInView {
        session_id: made.session.id,
        csrf_token: csrf::token(&made.token),
        expires_at: made.session.expires_at,
        password_change_required: made.user.password_reset_at.is_some(),
        user: made.user.into(),
    };
    let cookies = AppendHeaders([(header::SET_COOKIE, cookie), (header::SET_COOKIE, known)]);
    Ok((cookies, [(header::CACHE_CONTROL, NO_STORE)], Answer(view)))
}

/// Logs the caller out: ends the session and removes the cookie.
#[utoipa::path(
    post, path = "/api/v1/logout", tag = "login", operation_id = "log_out",
    responses((status = 204)),
    extensions(("x-errors" = json!({"403": ["not_logged_in"]}))),
    security(("api_key" = []))
)]
async fn log_out(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    identity.log_out(&scope).await?;
    let public_url = identity.config.public_url.as_deref();
    let cookie = cookie::set(&headers, scope.origin(), public_url, "", 0)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]))
}

/// Returns the caller, its tenant and its permissions, for any credential.
#[utoipa::path(
    get, path = "/api/v1/session", tag = "login", operation_id = "session_get",
    responses((status = 200, body = SessionView)),
    security(("api_key" = []))
)]
async fn session(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    headers: HeaderMap,
) -> ApiResult<impl IntoResponse> {
    let user = user_of(&identity, &scope).await?;
    let tenant = identity.get_tenant(&scope, scope.tenant()).await?;
    let token = scope.session.and_then(|_| cookie::of(&headers, scope.origin()));
    let reset = user.as_ref().is_some_and(|user| user.password_reset_at.is_some());
    let view = SessionView {
        tenant_id: tenant.id,
        tenant_slug: tenant.slug,
        tenant_name: tenant.name,
        actor: scope.actor().label(),
        user: user.map(UserView::from),
        permissions: scope.permissions().names().to_vec(),
        operator: scope.is_operator(),
        session_id: scope.session,
        csrf_token: token.map(csrf::token),
        password_change_required: scope.session.is_some() && reset,
    };
    Ok(([(header::CACHE_CONTROL, NO_STORE)], Answer(view)))
}

async fn user_of(identity: &Identity, scope: &Scope) -> loam_kernel::Result<Option<users::entity::Model>> {
    match scope.user {
        Some(user) => identity.get_user(scope, user).await.map(Some),
        None => Ok(None),
    }
}

/// Changes the caller's own password and ends the user's other sessions.
#[utoipa::path(
    post, path = "/api/v1/session/password", tag = "login", operation_id = "session_change_password",
    request_body = PasswordChange,
    responses((status = 204)),
    extensions(("x-errors" = json!({
        "403": ["wrong_password", "not_logged_in"],
        "429": ["login_busy", "too_many_logins"]
    }))),
    security(("api_key" = []))
)]
async fn change_password(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Json(new): Json<PasswordChange>,
) -> ApiResult<impl IntoResponse> {
    let (user, hash) = identity.change_password(&scope, new).await?;
    let public_url = identity.config.public_url.as_deref();
    let known = device::cookie(&identity.clock, &headers, scope.origin(), public_url, user, &hash, None)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, known)]))
}
