//! The routes of sessions.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{
    AiProviderId, ChannelId, ChatSessionId, MessageId, Order, OrderQuery, Page, PageQuery, ProjectId, UserId,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Model, SessionStatus};
use super::{ChatSessionCreate, ChatSessionFilter, ChatSessionUpdate};
use crate::chat_sessions::Sessions;

/// A conversation.
#[derive(Serialize, ToSchema)]
pub struct ChatSessionView {
    id: ChatSessionId,
    /// ID of the user who owns it; null for a session of the application.
    user_id: Option<UserId>,
    project_id: Option<ProjectId>,
    /// ID of the channel that it comes from.
    channel_id: Option<ChannelId>,
    /// Your own ID of the session.
    external_id: Option<String>,
    title: String,
    /// ID of the provider that answers, unless a turn names another model.
    provider_id: Option<AiProviderId>,
    model: Option<String>,
    system_prompt: Option<String>,
    status: SessionStatus,
    /// Whether `status` is `active`.
    is_active: bool,
    /// Number of messages, and the `sequence_number` of the last.
    message_count: i64,
    /// ID of the message that the next one follows.
    head_id: Option<MessageId>,
    first_message_at: Option<DateTime<Utc>>,
    last_message_at: Option<DateTime<Utc>>,
    /// Time of the last message, or of creation. Lists are sorted by it.
    last_activity: DateTime<Utc>,
    #[schema(value_type = Object)]
    metadata: Value,
    created_at: DateTime<Utc>,
    /// When it last changed; its version. New messages don't change it.
    updated_at: DateTime<Utc>,
}

impl From<Model> for ChatSessionView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            project_id: row.project_id,
            channel_id: row.channel_id,
            external_id: row.external_id,
            title: row.title,
            provider_id: row.provider_id,
            model: row.model,
            system_prompt: row.system_prompt,
            status: row.status,
            is_active: row.is_active,
            message_count: row.message_count,
            head_id: row.head_id,
            first_message_at: row.first_message_at,
            last_message_at: row.last_message_at,
            last_activity: row.last_activity,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The types of query parameters, which utoipa does not collect.
#[derive(OpenApi)]
#[openapi(components(schemas(Order)))]
struct ParameterTypes;

pub(crate) fn router(sessions: Sessions) -> OpenApiRouter {
    OpenApiRouter::with_openapi(ParameterTypes::openapi())
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .with_state(sessions)
}

/// Lists sessions, most recently active first. Callers without `chat_sessions:all` get only their own.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions", tag = "chat_sessions", operation_id = "chat_sessions_list",
    params(ChatSessionFilter, OrderQuery, PageQuery),
    responses((status = 200, body = Page<ChatSessionView>)),
    security(("api_key" = ["chat_sessions:read"]))
)]
async fn list(
    State(sessions): State<Sessions>,
    Caller(scope): Caller,
    Query(filter): Query<ChatSessionFilter>,
    Query(order): Query<OrderQuery>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<ChatSessionView>>> {
    Ok(JsonResponse(sessions.list_sessions(&scope, filter, &page, order).await?.map(ChatSessionView::from)))
}

/// Creates a session.
#[utoipa::path(
    post, path = "/api/v1/chat_sessions", tag = "chat_sessions", operation_id = "chat_sessions_create",
    request_body = ChatSessionCreate,
    responses((status = 201, body = ChatSessionView)),
    extensions(("x-errors" = json!({"409": ["already_exists"]}))),
    security(("api_key" = ["chat_sessions:write"]))
)]
async fn create(
    State(sessions): State<Sessions>,
    Caller(scope): Caller,
    Json(new): Json<ChatSessionCreate>,
) -> ApiResult<Tagged<ChatSessionView>> {
    let session = sessions.create_session(&scope, new).await?;
    Ok(created(session.updated_at, session.into()))
}

/// Returns a session.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/{id}", tag = "chat_sessions", operation_id = "chat_sessions_get",
    params(("id" = ChatSessionId, Path)),
    responses((status = 200, body = ChatSessionView)),
    security(("api_key" = ["chat_sessions:read"]))
)]
async fn get(
    State(sessions): State<Sessions>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
) -> ApiResult<Tagged<ChatSessionView>> {
    let session = sessions.get_session(&scope, id).await?;
    Ok(Tagged::new(session.updated_at, session.into()))
}

/// Changes, archives or reactivates a session.
#[utoipa::path(
    patch, path = "/api/v1/chat_sessions/{id}", tag = "chat_sessions", operation_id = "chat_sessions_update",
    params(("id" = ChatSessionId, Path), ("If-Match" = Option<String>, Header)),
    request_body = ChatSessionUpdate,
    responses((status = 200, body = ChatSessionView)),
    extensions(("x-errors" = json!({"409": ["already_exists", "session_archived"]}))),
    security(("api_key" = ["chat_sessions:write"]))
)]
async fn update(
    State(sessions): State<Sessions>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
    IfMatch(version): IfMatch,
    Json(new): Json<ChatSessionUpdate>,
) -> ApiResult<Tagged<ChatSessionView>> {
    let session = sessions.update_session(&scope, id, &version, new).await?;
    Ok(Tagged::new(session.updated_at, session.into()))
}

/// Deletes a session with its settings and turns.
///
/// Its messages become inaccessible at once and are deleted in the background.
#[utoipa::path(
    delete, path = "/api/v1/chat_sessions/{id}", tag = "chat_sessions", operation_id = "chat_sessions_delete",
    params(("id" = ChatSessionId, Path)),
    responses((status = 204)),
    security(("api_key" = ["chat_sessions:write"]))
)]
async fn delete(
    State(sessions): State<Sessions>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
) -> ApiResult<StatusCode> {
    sessions.delete_session(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
