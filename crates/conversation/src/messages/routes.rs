//! The routes of messages.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{ChatSessionId, LlmCallId, MessageId, Order, OrderQuery, Page, PageQuery, TurnId, UserId};
use serde::Serialize;
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{FinishReason, Model, Role};
use super::schemas::{ChatToolCall, MessageContent};
use super::{MessageCreate, MessageFilter, MessageUpdate};
use crate::messages::Messages;

/// A message of a conversation.
#[derive(Serialize, ToSchema)]
pub struct MessageView {
    id: MessageId,
    session_id: ChatSessionId,
    turn_id: Option<TurnId>,
    /// ID of the parent message. Several messages have the same parent where the conversation branches.
    parent_id: Option<MessageId>,
    /// ID of the user who wrote it.
    sender_id: Option<UserId>,
    /// Position in the session: 1, 2, 3, …
    sequence_number: i64,
    role: Role,
    /// A string, or a list of content parts. Empty after deletion.
    #[schema(value_type = MessageContent)]
    content: Value,
    /// Tool calls requested by the model.
    #[schema(value_type = Option<Vec<ChatToolCall>>)]
    tool_calls: Option<Value>,
    /// ID of the tool call that it answers.
    tool_call_id: Option<String>,
    /// Model that wrote it.
    model: Option<String>,
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
    /// ID of the model call that produced it.
    llm_call_id: Option<LlmCallId>,
    finish_reason: Option<FinishReason>,
    #[schema(value_type = Object)]
    metadata: Value,
    /// When its content was deleted.
    deleted_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for MessageView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            session_id: row.session_id,
            turn_id: row.turn_id,
            parent_id: row.parent_id,
            sender_id: row.sender_id,
            sequence_number: row.sequence_number,
            role: row.role,
            content: row.parts.unwrap_or(Value::String(row.content)),
            tool_calls: row.tool_calls,
            tool_call_id: row.tool_call_id,
            model: row.model,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            llm_call_id: row.llm_call_id,
            finish_reason: row.finish_reason,
            metadata: row.metadata,
            deleted_at: row.deleted_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The types of query parameters, which utoipa does not collect.
#[derive(OpenApi)]
#[openapi(components(schemas(Order)))]
struct ParameterTypes;

pub(crate) fn router(messages: Messages) -> OpenApiRouter {
    OpenApiRouter::with_openapi(ParameterTypes::openapi())
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .with_state(messages)
}

/// Lists the messages of a session by sequence number. Defaults to newest first.
#[utoipa::path(
    get, path = "/api/v1/messages", tag = "messages", operation_id = "messages_list",
    params(MessageFilter, OrderQuery, PageQuery),
    responses((status = 200, body = Page<MessageView>)),
    security(("api_key" = ["messages:read"]))
)]
async fn list(
    State(messages): State<Messages>,
    Caller(scope): Caller,
    Query(filter): Query<MessageFilter>,
    Query(order): Query<OrderQuery>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<MessageView>>> {
    Ok(JsonResponse(messages.list_messages(&scope, filter, &page, order).await?.map(MessageView::from)))
}

/// Appends a message to a session without calling a model.
#[utoipa::path(
    post, path = "/api/v1/messages", tag = "messages", operation_id = "messages_append",
    request_body = MessageCreate,
    responses((status = 201, body = MessageView)),
    extensions(("x-errors" = json!({"409": ["session_archived"], "429": ["session_busy"]}))),
    security(("api_key" = ["messages:write"]))
)]
async fn create(
    State(messages): State<Messages>,
    Caller(scope): Caller,
    Json(new): Json<MessageCreate>,
) -> ApiResult<Tagged<MessageView>> {
    let message = messages.create_message(&scope, new).await?;
    Ok(created(message.updated_at, message.into()))
}

/// Returns a message.
#[utoipa::path(
    get, path = "/api/v1/messages/{id}", tag = "messages", operation_id = "messages_get",
    params(("id" = MessageId, Path)),
    responses((status = 200, body = MessageView)),
    security(("api_key" = ["messages:read"]))
)]
async fn get(
    State(messages): State<Messages>,
    Caller(scope): Caller,
    Path(id): Path<MessageId>,
) -> ApiResult<Tagged<MessageView>> {
    let message = messages.get_message(&scope, id).await?;
    Ok(Tagged::new(message.updated_at, message.into()))
}

/// Changes the content or the metadata of a message.
#[utoipa::path(
    patch, path = "/api/v1/messages/{id}", tag = "messages", operation_id = "messages_update",
    params(("id" = MessageId, Path), ("If-Match" = Option<String>, Header)),
    request_body = MessageUpdate,
    responses((status = 200, body = MessageView)),
    extensions(("x-errors" = json!({"409": ["wrong_state", "session_archived"], "429": ["session_busy"]}))),
    security(("api_key" = ["messages:write"]))
)]
async fn update(
    State(messages): State<Messages>,
    Caller(scope): Caller,
    Path(id): Path<MessageId>,
    IfMatch(version): IfMatch,
    Json(new): Json<MessageUpdate>,
) -> ApiResult<Tagged<MessageView>> {
    let message = messages.update_message(&scope, id, &version, new).await?;
    Ok(Tagged::new(message.updated_at, message.into()))
}

/// Deletes the content of a message. The message itself and its number are kept.
#[utoipa::path(
    delete, path = "/api/v1/messages/{id}", tag = "messages", operation_id = "messages_delete",
    params(("id" = MessageId, Path)),
    responses((status = 204)),
    extensions(("x-errors" = json!({"409": ["wrong_state", "session_archived"], "429": ["session_busy"]}))),
    security(("api_key" = ["messages:write"]))
)]
async fn delete(
    State(messages): State<Messages>,
    Caller(scope): Caller,
    Path(id): Path<MessageId>,
) -> ApiResult<StatusCode> {
    messages.delete_message(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
