//! The routes of deliveries.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Path, Query};
use loam_kernel::{ChannelId, Page, PageQuery, WebhookDeliveryId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{DeliveryState, Model};
use super::service::{WebhookDeliveries, WebhookDeliveryFilter};

/// A delivery to another server or mailbox.
#[derive(Serialize, ToSchema)]
pub struct WebhookDeliveryView {
    /// The id, which is sent as `x-loam-delivery` so that the receiver can detect duplicates.
    id: WebhookDeliveryId,
    /// The channel that it is sent through.
    channel_id: Option<ChannelId>,
    /// The kind: `channel.webhook`, `channel.telegram`, `alert.webhook`, `alert.email`.
    kind: String,
    /// The target, without secrets.
    target: String,
    /// The payload.
    #[schema(value_type = Object)]
    payload: Value,
    state: DeliveryState,
    /// Number of attempts since it was created or last retried manually.
    attempts: i32,
    /// HTTP status of the last response.
    status_code: Option<i32>,
    /// Why the last attempt failed.
    error_message: Option<String>,
    /// Time of the next attempt; null while pending: it waits for the previous delivery of its lane.
    next_attempt_at: Option<DateTime<Utc>>,
    delivered_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for WebhookDeliveryView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            channel_id: row.channel_id,
            kind: row.kind,
            target: row.target,
            payload: row.payload,
            state: row.state,
            attempts: row.attempts,
            status_code: row.status_code,
            error_message: row.error_message,
            next_attempt_at: row.next_attempt_at,
            delivered_at: row.delivered_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl WebhookDeliveries {
    /// The routes.
    pub fn router(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .routes(routes!(list))
            .routes(routes!(get, delete))
            .routes(routes!(retry))
            .with_state(self.clone())
    }
}

/// Lists deliveries, newest first; `state=dead` lists the dead letters.
#[utoipa::path(
    get, path = "/api/v1/webhook_deliveries", tag = "webhook_deliveries", operation_id = "webhook_deliveries_list",
    params(WebhookDeliveryFilter, PageQuery),
    responses((status = 200, body = Page<WebhookDeliveryView>)),
    security(("api_key" = ["webhook_deliveries:read"]))
)]
async fn list(
    State(deliveries): State<WebhookDeliveries>,
    Caller(scope): Caller,
    Query(filter): Query<WebhookDeliveryFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<WebhookDeliveryView>>> {
    Ok(Answer(deliveries.list(&scope, filter, &page).await?.map(WebhookDeliveryView::from)))
}

/// Returns a delivery.
#[utoipa::path(
    get, path = "/api/v1/webhook_deliveries/{id}", tag = "webhook_deliveries", operation_id = "webhook_deliveries_get",
    params(("id" = WebhookDeliveryId, Path)),
    responses((status = 200, body = WebhookDeliveryView)),
    security(("api_key" = ["webhook_deliveries:read"]))
)]
async fn get(
    State(deliveries): State<WebhookDeliveries>,
    Caller(scope): Caller,
    Path(id): Path<WebhookDeliveryId>,
) -> ApiResult<Answer<WebhookDeliveryView>> {
    Ok(Answer(deliveries.get(&scope, id).await?.into()))
}

/// Retries a delivery now: a dead letter again, a pending delivery without waiting. A delivered one is not sent again.
#[utoipa::path(
    post, path = "/api/v1/webhook_deliveries/{id}/retry", tag = "webhook_deliveries", operation_id = "webhook_deliveries_retry",
    params(("id" = WebhookDeliveryId, Path)),
    responses((status = 200, body = WebhookDeliveryView)),
    extensions(("x-errors" = json!({"409": ["already_delivered"]}))),
    security(("api_key" = ["webhook_deliveries:write"]))
)]
async fn retry(
    State(deliveries): State<WebhookDeliveries>,
    Caller(scope): Caller,
    Path(id): Path<WebhookDeliveryId>,
) -> ApiResult<Answer<WebhookDeliveryView>> {
    Ok(Answer(deliveries.retry(&scope, id).await?.into()))
}

/// Deletes a delivery. A pending one is cancelled, and the next ones of its lane continue.
#[utoipa::path(
    delete, path = "/api/v1/webhook_deliveries/{id}", tag = "webhook_deliveries", operation_id = "webhook_deliveries_delete",
    params(("id" = WebhookDeliveryId, Path)),
    responses((status = 204)),
    security(("api_key" = ["webhook_deliveries:write"]))
)]
async fn delete(
    State(deliveries): State<WebhookDeliveries>,
    Caller(scope): Caller,
    Path(id): Path<WebhookDeliveryId>,
) -> ApiResult<StatusCode> {
    deliveries.delete(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
