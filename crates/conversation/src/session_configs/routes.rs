//! The routes of session settings.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged};
use loam_kernel::{ChatSessionId, Page, PageQuery, SessionConfigId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Model;
use super::service::SessionConfigSet;
use crate::session_configs::SessionConfigs;

/// A setting of a session.
#[derive(Serialize, ToSchema)]
pub struct SessionConfigView {
    id: SessionConfigId,
    session_id: ChatSessionId,
    /// Key.
    key: String,
    /// Value.
    value: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for SessionConfigView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            session_id: row.session_id,
            key: row.key,
            value: row.value.0,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(crate) fn router(session_configs: SessionConfigs) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, put, delete)).with_state(session_configs)
}

/// Lists the settings of a session.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/{id}/configs", tag = "chat_sessions", operation_id = "session_configs_list",
    params(("id" = ChatSessionId, Path), PageQuery),
    responses((status = 200, body = Page<SessionConfigView>)),
    security(("api_key" = ["chat_sessions:read"]))
)]
async fn list(
    State(session_configs): State<SessionConfigs>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<SessionConfigView>>> {
    Ok(JsonResponse(session_configs.list_settings(&scope, id, &page).await?.map(SessionConfigView::from)))
}

/// Returns a setting of a session.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/{id}/configs/{key}", tag = "chat_sessions", operation_id = "session_configs_get",
    params(("id" = ChatSessionId, Path), ("key" = String, Path)),
    responses((status = 200, body = SessionConfigView)),
    security(("api_key" = ["chat_sessions:read"]))
)]
async fn get(
    State(session_configs): State<SessionConfigs>,
    Caller(scope): Caller,
    Path((id, key)): Path<(ChatSessionId, String)>,
) -> ApiResult<Tagged<SessionConfigView>> {
    let setting = session_configs.get_setting(&scope, id, &key).await?;
    Ok(Tagged::new(setting.updated_at, setting.into()))
}

/// Sets a setting of a session.
///
/// Turns use the keys `temperature`, `top_p`, `max_tokens`, `stop`, `seed`, `presence_penalty`,
/// `frequency_penalty`, `response_format`, `reasoning_effort`, `context` and `tool_choice`; all other keys
/// are yours. Tools are declared with `PUT /api/v1/chat_sessions/{id}/tools`.
#[utoipa::path(
    put, path = "/api/v1/chat_sessions/{id}/configs/{key}", tag = "chat_sessions", operation_id = "session_configs_put",
    params(("id" = ChatSessionId, Path), ("key" = String, Path), ("If-Match" = Option<String>, Header)),
    request_body = SessionConfigSet,
    responses((status = 200, body = SessionConfigView)),
    extensions(("x-errors" = json!({"409": ["too_many_settings", "session_archived"]}))),
    security(("api_key" = ["chat_sessions:write"]))
)]
async fn put(
    State(session_configs): State<SessionConfigs>,
    Caller(scope): Caller,
    Path((id, key)): Path<(ChatSessionId, String)>,
    IfMatch(version): IfMatch,
    Json(new): Json<SessionConfigSet>,
) -> ApiResult<Tagged<SessionConfigView>> {
    let setting = session_configs.put_setting(&scope, id, &key, &version, new).await?;
    Ok(Tagged::new(setting.updated_at, setting.into()))
}

/// Deletes a setting of a session.
#[utoipa::path(
    delete, path = "/api/v1/chat_sessions/{id}/configs/{key}", tag = "chat_sessions", operation_id = "session_configs_delete",
    params(("id" = ChatSessionId, Path), ("key" = String, Path)),
    responses((status = 204)),
    extensions(("x-errors" = json!({"409": ["session_archived"]}))),
    security(("api_key" = ["chat_sessions:write"]))
)]
async fn delete(
    State(session_configs): State<SessionConfigs>,
    Caller(scope): Caller,
    Path((id, key)): Path<(ChatSessionId, String)>,
) -> ApiResult<StatusCode> {
    session_configs.delete_setting(&scope, id, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}
