//! The routes that speak Anthropic's wire format.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use loam_http::surface::{ApiResult, Body, Caller};
use loam_kernel::run_blocking_limited;
use loam_providers::openai::RequestEnvelope;
use loam_providers::{Endpoint, count_prompt};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Proxy;
use super::message_schemas::{AnthropicError, AnthropicMessage, MessageEvent, MessageRequest};
use super::plan::Plan;
use super::routes::call;

/// The number of tokens of a request.
#[derive(Serialize, ToSchema)]
struct TokenCount {
    /// Counted by Loam; close to the provider's count.
    input_tokens: u64,
}

pub(crate) fn router(proxy: Proxy) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(messages)).routes(routes!(count_tokens)).with_state(proxy)
}

/// Creates a message in Anthropic's format, with any provider. Set the client's base URL to `…/anthropic`. A provider
/// of kind `anthropic` receives the body unchanged except for the model's name; for others the request and the
/// response are translated.
#[utoipa::path(
    post, path = "/anthropic/v1/messages", tag = "gateway", operation_id = "messages_create",
    request_body(content = MessageRequest, content_type = "application/json", description = "Anthropic's request; `model` is a route or `provider/model`",
        example = json!({"model": "anthropic/claude-sonnet-4-5", "max_tokens": 1024, "messages": [{"role": "user", "content": "Hello"}]})),
    params(
        ("x-loam-session-id" = Option<String>, Header, description = "your conversation. If it is the id of a chat session, or its `external_id`, the messages are stored there. Any other value is recorded with the call"),
        ("x-loam-tags" = Option<String>, Header, description = "tags of the call, separated by commas: at most 8 of at most 64 characters each"),
    ),
    responses(
        (
            status = 200, content((AnthropicMessage = "application/json"), (MessageEvent = "text/event-stream")),
            description = "Anthropic's response; with `stream`, its events.",
        ),
        (status = "4XX", body = AnthropicError),
    ),
    extensions(("x-calls-model" = json!(true)), ("x-errors" = json!({
        "409": ["session_archived"],
        "429": ["session_busy"]
    }))),
    security(("api_key" = ["gateway:call"]))
)]
async fn messages(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(proxy, scope, Endpoint::Messages, headers, body).await
}

/// Counts the tokens of a message request without sending it. Free, as Loam counts them; an approximation for models
/// without OpenAI's tokenizer.
#[utoipa::path(
    post, path = "/anthropic/v1/messages/count_tokens", tag = "gateway", operation_id = "messages_count_tokens",
    request_body(content = MessageRequest, content_type = "application/json", description = "Anthropic's request",
        example = json!({"model": "anthropic/claude-sonnet-4-5", "messages": [{"role": "user", "content": "Hello"}]})),
    responses(
        (status = 200, body = TokenCount),
        (status = "4XX", body = AnthropicError),
    ),
    security(("api_key" = ["gateway:call"]))
)]
async fn count_tokens(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    Body(body): Body,
) -> ApiResult<Json<TokenCount>> {
    // the same errors as for the call itself
    let envelope = RequestEnvelope::read(&body)?;
    proxy.0.catalog.find(scope.tenant(), |models| Plan::resolve(models, &envelope.model)).await?;
    let tokens = run_blocking_limited(scope.tenant(), move || count_prompt(&body)).await?;
    Ok(Json(TokenCount { input_tokens: tokens }))
}
