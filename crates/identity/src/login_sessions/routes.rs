//! The routes of log-in sessions.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Path, Query};
use loam_kernel::{LoginSessionId, Page, PageQuery, UserId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use super::service::LoginSessionFilter;
use crate::Identity;

/// A browser in which somebody is, or was, logged in.
#[derive(Serialize, ToSchema)]
pub struct LoginSessionView {
    id: LoginSessionId,
    user_id: UserId,
    /// At the log-in.
    ip_address: Option<String>,
    /// At the log-in.
    user_agent: Option<String>,
    /// To the half minute.
    last_seen_at: DateTime<Utc>,
    /// When it ends in any case.
    expires_at: DateTime<Utc>,
    /// Set: somebody logged out, or was logged out.
    revoked_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Model> for LoginSessionView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            ip_address: row.ip_address,
            user_agent: row.user_agent,
            last_seen_at: row.last_seen_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            created_at: row.created_at,
        }
    }
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(revoke)).with_state(identity)
}

/// The tenant's log-in sessions, newest first; ended ones too, for a month.
#[utoipa::path(
    get, path = "/api/v1/login_sessions", tag = "login", operation_id = "login_sessions_list",
    params(LoginSessionFilter, PageQuery),
    responses((status = 200, body = Page<LoginSessionView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["login_sessions:read"]))
)]
async fn list(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Query(filter): Query<LoginSessionFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<LoginSessionView>>> {
    Ok(Answer(identity.list_login_sessions(&scope, &filter, &page).await?.map(LoginSessionView::from)))
}

/// Logs somebody out: within a second the session opens nothing. It stays listed.
#[utoipa::path(
    delete, path = "/api/v1/login_sessions/{id}", tag = "login", operation_id = "login_sessions_revoke",
    params(("id" = LoginSessionId, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["login_sessions:write"]))
)]
async fn revoke(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<LoginSessionId>,
) -> ApiResult<StatusCode> {
    identity.revoke_login_session(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
