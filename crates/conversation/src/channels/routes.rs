//! The routes of channels.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json as JsonResponse};
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{ChannelChatId, ChannelId, ChatSessionId, Origin, Page, PageQuery, ProjectId};
use loam_platform::seal::{SealedSecret, masked};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use zeroize::Zeroizing;

use super::chats;
use super::connect::{ChannelConnection, ChannelSend, ChannelSent};
use super::entity::{ChannelKind, Model};
use super::kinds::masked_config;
use super::receive::ChannelReceipt;
use super::service::{ChannelCreate, ChannelFilter, ChannelUpdate, SecretRotate, WithSecret};
use crate::channels::Channels;

/// A channel: messages arrive through it, and replies leave through it.
#[derive(Serialize, ToSchema)]
pub struct ChannelView {
    id: ChannelId,
    name: String,
    kind: ChannelKind,
    /// Connection settings of the platform. Secrets are shown as `{"sealed": true, "last4": …}`.
    #[schema(value_type = Object)]
    config: Value,
    /// The shared secret, shown as `{"sealed": true, "last4": …}`.
    #[schema(value_type = SealedSecret)]
    secret: Value,
    /// Until when the previous secret is also accepted.
    old_secret_until: Option<DateTime<Utc>>,
    /// How messages are answered.
    #[schema(value_type = super::ChannelSettings)]
    settings: Value,
    /// Project ID of its sessions.
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
            config: masked_config(&row),
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

/// A channel with its secret, which is shown only here.
#[derive(Serialize, ToSchema)]
pub struct ChannelSecretView {
    #[serde(flatten)]
    channel: ChannelView,
    /// The shared secret in full. Store it: it is not shown again.
    #[schema(value_type = String)]
    signing_secret: Zeroizing<String>,
}

impl From<WithSecret> for ChannelSecretView {
    fn from(made: WithSecret) -> Self {
        Self { channel: made.row.into(), signing_secret: made.secret }
    }
}

/// A chat on the platform, and its session.
#[derive(Serialize, ToSchema)]
pub struct ChannelChatView {
    id: ChannelChatId,
    /// ID of the chat on the platform.
    external_id: String,
    title: Option<String>,
    /// Whether it is a group chat.
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

/// Filter for chats.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ChannelChatFilter {
    /// Only the chat with this ID on the platform.
    external_id: Option<String>,
}

pub(crate) fn router(channels: Channels) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(rotate_secret))
        .routes(routes!(connect))
        .routes(routes!(disconnect))
        .routes(routes!(send))
        .routes(routes!(chats_list))
        .routes(routes!(receive))
        .with_state(channels)
}

/// Lists the channels of the tenant, newest first.
#[utoipa::path(
    get, path = "/api/v1/channels", tag = "channels", operation_id = "channels_list",
    params(ChannelFilter, PageQuery),
    responses((status = 200, body = Page<ChannelView>)),
    security(("api_key" = ["channels:read"]))
)]
async fn list(
    State(channels): State<Channels>,
    Caller(scope): Caller,
    Query(filter): Query<ChannelFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<ChannelView>>> {
    Ok(JsonResponse(channels.list_channels(&scope, filter, &page).await?.map(ChannelView::from)))
}

/// Creates a channel. Only this response shows its secret.
#[utoipa::path(
    post, path = "/api/v1/channels", tag = "channels", operation_id = "channels_create",
    request_body = ChannelCreate,
    responses((status = 201, body = ChannelSecretView)),
    extensions(("x-errors" = json!({
        "400": ["secret_required"],
        "409": ["already_exists", "public_url_missing"]
    }))),
    security(("api_key" = ["channels:write"]))
)]
async fn create(
    State(channels): State<Channels>,
    Caller(scope): Caller,
    Json(new): Json<ChannelCreate>,
) -> ApiResult<Tagged<ChannelSecretView>> {
    let made = channels.create_channel(&scope, new).await?;
    Ok(created(made.row.updated_at, made.into()))
}

/// Returns a channel.
#[utoipa::path(
    get, path = "/api/v1/channels/{id}", tag = "channels", operation_id = "channels_get",
    params(("id" = ChannelId, Path)),
    responses((status = 200, body = ChannelView)),
    security(("api_key" = ["channels:read"]))
)]
async fn get(
    State(channels): State<Channels>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
) -> ApiResult<Tagged<ChannelView>> {
    let channel = channels.get_channel(&scope, id).await?;
    Ok(Tagged::new(channel.updated_at, channel.into()))
}

/// Changes a channel. The change takes effect within a second.
#[utoipa::path(
    patch, path = "/api/v1/channels/{id}", tag = "channels", operation_id = "channels_update",
    params(("id" = ChannelId, Path), ("If-Match" = Option<String>, Header)),
    request_body = ChannelUpdate,
    responses((status = 200, body = ChannelView)),
    extensions(("x-errors" = json!({"400": ["secret_required"], "409": ["already_exists"]}))),
    security(("api_key" = ["channels:write"]))
)]
async fn update(
    State(channels): State<Channels>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
    IfMatch(version): IfMatch,
    Json(new): Json<ChannelUpdate>,
) -> ApiResult<Tagged<ChannelView>> {
    let channel = channels.update_channel(&scope, id, &version, new).await?;
    Ok(Tagged::new(channel.updated_at, channel.into()))
}

/// Deletes a channel. Its sessions are kept; its pending deliveries are abandoned.
#[utoipa::path(
    delete, path = "/api/v1/channels/{id}", tag = "channels", operation_id = "channels_delete",
    params(("id" = ChannelId, Path)),
    responses((status = 204)),
    security(("api_key" = ["channels:write"]))
)]
async fn delete(
    State(channels): State<Channels>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
) -> ApiResult<StatusCode> {
    channels.delete_channel(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces the secret of a channel. Only this response shows the new secret.
///
/// The previous secret remains valid for `keep_old_seconds`.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/rotate_secret", tag = "channels", operation_id = "channels_rotate_secret",
    params(("id" = ChannelId, Path)),
    request_body = SecretRotate,
    responses((status = 200, body = ChannelSecretView)),
    security(("api_key" = ["channels:write"]))
)]
async fn rotate_secret(
    State(channels): State<Channels>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
    Json(new): Json<SecretRotate>,
) -> ApiResult<Tagged<ChannelSecretView>> {
    let made = channels.rotate_channel_secret(&scope, id, new).await?;
    Ok(Tagged::new(made.row.updated_at, made.into()))
}

/// Registers the channel's URL with the platform.
///
/// For Telegram, Loam calls `setWebhook`. For kind `webhook`, the response contains the URL for you to
/// register.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/connect", tag = "channels", operation_id = "channels_connect",
    params(("id" = ChannelId, Path)),
    responses((status = 200, body = ChannelConnection)),
    extensions(("x-errors" = json!({
        "409": ["public_url_missing", "channel_inactive"],
        "502": ["telegram_refused"]
    }))),
    security(("api_key" = ["channels:write"]))
)]
async fn connect(
    State(channels): State<Channels>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
) -> ApiResult<JsonResponse<ChannelConnection>> {
    Ok(JsonResponse(channels.connect_channel(&scope, id).await?))
}

/// Unregisters the channel's URL from the platform. For Telegram, Loam calls `deleteWebhook`.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/disconnect", tag = "channels", operation_id = "channels_disconnect",
    params(("id" = ChannelId, Path)),
    responses((status = 204)),
    extensions(("x-errors" = json!({"409": ["public_url_missing"], "502": ["telegram_refused"]}))),
    security(("api_key" = ["channels:write"]))
)]
async fn disconnect(
    State(channels): State<Channels>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
) -> ApiResult<StatusCode> {
    channels.disconnect_channel(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a text to a chat that has sent a message before.
///
/// It is stored as an assistant message of the session.
#[utoipa::path(
    post, path = "/api/v1/channels/{id}/send", tag = "channels", operation_id = "channels_send",
    params(("id" = ChannelId, Path)),
    request_body = ChannelSend,
    responses((status = 201, body = ChannelSent)),
    extensions(("x-errors" = json!({
        "409": ["channel_inactive", "session_archived"],
        "429": ["session_busy", "channel_rate_exceeded", "chat_busy"]
    }))),
    security(("api_key" = ["channels:write"]))
)]
async fn send(
    State(channels): State<Channels>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
    Json(new): Json<ChannelSend>,
) -> ApiResult<(StatusCode, JsonResponse<ChannelSent>)> {
    Ok((StatusCode::CREATED, JsonResponse(channels.send_by_channel(&scope, id, new).await?)))
}

/// Lists the chats of a channel, newest first, each with its session.
#[utoipa::path(
    get, path = "/api/v1/channels/{id}/chats", tag = "channels", operation_id = "channel_chats_list",
    params(("id" = ChannelId, Path), ChannelChatFilter, PageQuery),
    responses((status = 200, body = Page<ChannelChatView>)),
    security(("api_key" = ["channels:read"]))
)]
async fn chats_list(
    State(channels): State<Channels>,
    Caller(scope): Caller,
    Path(id): Path<ChannelId>,
    Query(filter): Query<ChannelChatFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<ChannelChatView>>> {
    let page = channels.list_channel_chats(&scope, id, filter.external_id, &page).await?;
    Ok(JsonResponse(page.map(ChannelChatView::from)))
}

/// Receives a message from the channel's platform.
///
/// No credential is needed: the request is authenticated by its signature (kind `webhook`) or by Telegram's
/// secret header. The message is stored before the response. A repeated `event_id` is ignored.
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
    responses((status = 200, body = ChannelReceipt)),
    extensions(("x-errors" = json!({
        "401": ["missing_signature", "wrong_signature", "stale_timestamp"],
        "403": ["tenant_suspended", "tenant_archived"],
        "409": ["channel_inactive"],
        "429": ["channel_rate_exceeded", "chat_busy"]
    }))),
    security(())
)]
async fn receive(
    State(channels): State<Channels>,
    Extension(origin): Extension<Arc<Origin>>,
    Path(id): Path<ChannelId>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<JsonResponse<ChannelReceipt>> {
    Ok(JsonResponse(channels.receive(id, origin, &headers, body).await?))
}
