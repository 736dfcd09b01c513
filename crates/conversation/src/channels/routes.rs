//! The routes of channels.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json as Answer};
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{ChannelChatId, ChannelId, ChatSessionId, Origin, Page, PageQuery, ProjectId};
use loam_platform::seal::masked;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use zeroize::Zeroizing;

use super::chats;
use super::connect::{ChannelConnection, ChannelSend, ChannelSent};
use super::entity::{ChannelKind, Model};
use super::kinds::shown;
use super::receive::ChannelReceipt;
use super::service::{ChannelCreate, ChannelFilter, ChannelUpdate, SecretRotate, WithSecret};
use crate::Conversation;

/// Where messages come from and replies go to.
#[derive(Serialize, ToSchema)]
pub struct ChannelView {
    id: ChannelId,
    name: String,
    kind: ChannelKind,
    /// How the platform is reached. Secrets read as `{"sealed": true, "last4": …}`.
    #[schema(value_type = Object)]
    config: Value,
    /// What both sides sign with, as `{"sealed": true, "last4": …}`.
    #[schema(value_type = Object)]
    secret: Value,
    /// Until when the secret before holds, too.
    old_secret_until: Option<DateTime<Utc>>,
    /// How messages are answered.
    #[schema(value_type = super::ChannelSettings)]
    settings: Value,
    /// The project of its conversations.
    project_id: Option<ProjectId>,
    is_active: bool,
    #[schema(value_type = Object)]
    metadata: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for ChannelView {
    fn from(row: Model) -> Self {
        Self {
            config: shown(&row),
            secret: masked(&row.secret),
            old_secret_until: row.old_secret_until,
            id: row.id,
            name: row.name,
            kind: row.kind,
            settings: row.settings,
            project_id: row.project_id,
            is_active: row.is_active,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A channel with its secret: the only time that it is shown.
#[derive(Serialize, ToSchema)]
pub struct ChannelSecretView {
    #[serde(flatten)]
    channel: ChannelView,
    /// What both sides sign with, in full: keep it now.
    #[schema(value_type = String)]
    signing_secret: Zeroizing<String>,
}

impl From<WithSecret> for ChannelSecretView {
    fn from(made: WithSecret) -> Self {
        Self { channel: made.row.into(), signing_secret: made.secret }
    }
}

/// A conversation on the platform, and the session that holds it.
#[derive(Serialize, ToSchema)]
pub struct ChannelChatView {
    id: ChannelChatId,
    /// The platform's own id of it.
    external_id: String,
    title: Option<String>,
    /// Whether several people write there.
    is_group: bool,
    session_id: ChatSessionId,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<chats::Model> for ChannelChatView {
    fn from(row: chats::Model) -> Self {
        Self {
            id: row.id,
            external_id: row.external_id,
            title: row.title,
            is_group: row.is_group,
            session_id: row.session_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Which chats to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ChannelChatFilter {
    /// Only the chat with this id of the platform.
    external_id: Option<String>,
}

pub(crate) fn router(conversation: Conversation) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(rotate_secret))
        .routes(routes!(connect))
        .routes(routes!(disconnect))
        .routes(routes!(send))
        .routes(routes!(chats_list))
        .routes(routes!(receive))
        .with_state(conversation)
}

/// The tenant's channels, newest first.
#[utoipa::path(
    get, path = "/api/v1/channels", tag = "channels", operation_id = "channels_list",
    params(ChannelFilter, PageQuery),
    responses((status = 200, body = Page<ChannelView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["channels:read"]))
)]
async fn list(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Query(filter): Query<ChannelFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<ChannelView>>> {
    Ok(Answer(conversation.list_channels(&scope, filter, &page).await?.map(ChannelView::from)))
}

/// Makes a channel. The answer alone shows its secret.
#[utoipa::path(
    post, path = "/api/v1/channels", tag = "channels", operation_id = "channels_create",
    request_body = ChannelCreate,
    responses((status = 201, body = ChannelSecretView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["channels:write"]))
)]
async fn create(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Json(new): Json<ChannelCreate>,
) -> ApiResult<Tagged<ChannelSecretView>> {
    let made = conversation.create_channel(&scope, new).await?;
    Ok(created(made.row.updated_at, made.into()))
}

/// One channel.
#[utoipa::path(
    get, path = "/api/v1/channels/{id}", tag = "channels", operation_id = "channels_get",
    params(("id" = ChannelId, Path)),
    responses((status = 200, body = ChannelView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["channels:read"]))
)]
async fn get(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
) -> ApiResult<Tagged<ChannelView>> {
    let channel = conversation.get_channel(&scope, id).await?;
    Ok(Tagged::new(channel.updated_at, channel.into()))
}

/// Changes a channel; messages are taken and sent by it as changed within a second.
#[utoipa::path(
    patch, path = "/api/v1/channels/{id}", tag = "channels", operation_id = "channels_update",
    params(("id" = ChannelId, Path), ("If-Match" = Option<String>, Header)),
    request_body = ChannelUpdate,
    responses((status = 200, body = ChannelView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["channels:write"]))
)]
async fn update(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
    version: IfMatch,
    Json(new): Json<ChannelUpdate>,
) -> ApiResult<Tagged<ChannelView>> {
    let channel = conversation.update_channel(&scope, id, &version, new).await?;
    Ok(Tagged::new(channel.updated_at, channel.into()))
}

/// Deletes a channel. Its sessions stay; what it would still send is given up.
#[utoipa::path(
    delete, path = "/api/v1/channels/{id}", tag = "channels", operation_id = "channels_delete",
    params(("id" = ChannelId, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["channels:write"]))
)]
async fn delete(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
) -> ApiResult<StatusCode> {
    conversation.delete_channel(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a channel a new secret, which the answer alone shows. The one before holds beside it for a while.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/rotate_secret", tag = "channels", operation_id = "channels_rotate_secret",
    params(("id" = ChannelId, Path)),
    request_body = SecretRotate,
    responses((status = 200, body = ChannelSecretView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["channels:write"]))
)]
async fn rotate_secret(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
    Json(new): Json<SecretRotate>,
) -> ApiResult<Tagged<ChannelSecretView>> {
    let made = conversation.rotate_channel_secret(&scope, id, new).await?;
    Ok(Tagged::new(made.row.updated_at, made.into()))
}

/// Tells the platform where to send messages to. Telegram is told by Loam (`setWebhook`); for kind `webhook` the answer
/// says what you have to tell.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/connect", tag = "channels", operation_id = "channels_connect",
    params(("id" = ChannelId, Path)),
    responses((status = 200, body = ChannelConnection), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["channels:write"]))
)]
async fn connect(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
) -> ApiResult<Answer<ChannelConnection>> {
    Ok(Answer(conversation.connect_channel(&scope, id).await?))
}

/// Tells the platform to send no more: Telegram, by `deleteWebhook`.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/disconnect", tag = "channels", operation_id = "channels_disconnect",
    params(("id" = ChannelId, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["channels:write"]))
)]
async fn disconnect(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
) -> ApiResult<StatusCode> {
    conversation.disconnect_channel(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a text to a chat that has written before, and keeps it in its session as the assistant's.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/send", tag = "channels", operation_id = "channels_send",
    params(("id" = ChannelId, Path)),
    request_body = ChannelSend,
    responses((status = 201, body = ChannelSent), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["channels:write"]))
)]
async fn send(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
    Json(new): Json<ChannelSend>,
) -> ApiResult<(StatusCode, Answer<ChannelSent>)> {
    Ok((StatusCode::CREATED, Answer(conversation.send_by_channel(&scope, id, new).await?)))
}

/// The conversations of a channel, newest first, each with the session that holds it.
#[utoipa::path(
    get, path = "/api/v1/channels/{id}/chats", tag = "channels", operation_id = "channel_chats_list",
    params(("id" = ChannelId, Path), ChannelChatFilter, PageQuery),
    responses((status = 200, body = Page<ChannelChatView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["channels:read"]))
)]
async fn chats_list(
    State(conversation): State<Conversation>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
    Query(filter): Query<ChannelChatFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<ChannelChatView>>> {
    let page = conversation.list_channel_chats(&scope, id, filter.external_id, &page).await?;
    Ok(Answer(page.map(ChannelChatView::from)))
}

/// Takes a message in from the channel's platform. No credential: the signature (kind `webhook`), or Telegram's header,
/// says whom it is from. The message is kept when this answers; an `event_id` that was here before does nothing.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/events", tag = "channels", operation_id = "channel_events_receive",
    request_body(content = Object, content_type = "application/json", description = "kind `webhook`: see FORMATS.md; `telegram`: an Update",
        example = json!({"event_id": "e-1", "chat": {"id": "c-1"}, "sender": {"id": "s-1", "name": "Ann"}, "message": {"id": "m-1", "text": "Hello"}})),
    params(
        ("id" = ChannelId, Path),
        ("x-loam-timestamp" = Option<String>, Header, description = "seconds since 1970"),
        ("x-loam-signature" = Option<String>, Header, description = "`v1=` and the HMAC-SHA256 in hexadecimal"),
        ("x-telegram-bot-api-secret-token" = Option<String>, Header),
    ),
    responses((status = 200, body = ChannelReceipt), (status = "4XX", body = ErrorBody)),
    security(())
)]
async fn receive(
    State(conversation): State<Conversation>,
    Extension(origin): Extension<Arc<Origin>>,
    Path(id): Path<ChannelId>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Answer<ChannelReceipt>> {
    Ok(Answer(conversation.receive(id, origin, &headers, body).await?))
}
