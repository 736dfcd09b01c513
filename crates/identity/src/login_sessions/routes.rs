//! The routes of login sessions.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Path, Query};
use loam_kernel::{LoginSessionId, Page, PageQuery, UserId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use super::service::LoginSessionFilter;
use crate::Identity;

/// A user's logged-in browser, or one that was.
#[derive(Serialize, ToSchema)]
pub struct LoginSessionView {
    id: LoginSessionId,
    user_id: UserId,
    /// As seen at the log-in.
    ip_address: Option<String>,
    /// As seen at the log-in.
    user_agent: Option<String>,
    /// Time of the last use, accurate to half a minute.
    last_seen_at: DateTime<Utc>,
    /// When it ends regardless of use.
    expires_at: DateTime<Utc>,
    /// When it was ended by a log-out or revocation; null while it is active.
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

/// Lists the tenant's login sessions, newest first, including those that ended in the last 30 days.
#[utoipa::path(
    get, path = "/api/v1/login_sessions", tag = "login", operation_id = "login_sessions_list",
    params(LoginSessionFilter, PageQuery),
    responses((status = 200, body = Page<LoginSessionView>)),
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

/// Ends a login session. It is invalid on all nodes within a second, and stays listed.
#[utoipa::path(
    delete, path = "/api/v1/login_sessions/{id}", tag = "login", operation_id = "login_sessions_revoke",
    params(("id" = LoginSessionId, Path)),
    responses((status = 204)),
    extensions(("x-errors" = json!({"409": ["wrong_state"]}))),
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
