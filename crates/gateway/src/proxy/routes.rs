//! The routes that speak OpenAI's wire format.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use loam_http::surface::{ApiError, ApiResult, Body, Caller, ErrorBody};
use loam_kernel::Scope;
use loam_providers::Endpoint;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Proxy;
use super::failure::CallError;
use super::make_call::make_call;
use super::response_schemas::{ResponseEvent, ResponseObject, ResponseRequest};
use super::schemas::{
    ChatCompletion, ChatCompletionEvent, ChatCompletionRequest, CompletionRequest, EmbeddingList,
    EmbeddingRequest, TextCompletion, TextCompletionEvent,
};
use crate::hook::{CallContext, SESSION};
use crate::limits::admission::RateLimitStatus;

/// The header that carries the call's id.
const CALL_ID: HeaderName = HeaderName::from_static("x-loam-call-id");

pub(crate) fn router(proxy: Proxy) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(chat_completions))
        .routes(routes!(embeddings))
        .routes(routes!(responses))
        .routes(routes!(completions))
        .with_state(proxy)
}

/// Creates a chat completion in OpenAI's format. The body is sent to the provider unchanged except for the model's
/// name. With `"stream": true` the response is a stream of events.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "gateway", operation_id = "chat_completions_create",
    request_body(content = ChatCompletionRequest, content_type = "application/json", description = "OpenAI's request; `model` is a route or `provider/model`",
        example = json!({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]})),
    params(
        ("x-loam-session-id" = Option<String>, Header, description = "your conversation. If it is the id of a chat session, or its `external_id`, the messages are stored there. Any other value is recorded with the call"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context, recorded with the call"),
        ("x-loam-tags" = Option<String>, Header, description = "tags of the call, separated by commas: at most 8 of at most 64 characters each"),
    ),
    responses(
        (
            status = 200, content((ChatCompletion = "application/json"), (ChatCompletionEvent = "text/event-stream")),
            description = "The completion; with `stream`, its events.",
        ),
        (status = "4XX", body = ErrorBody),
    ),
    extensions(("x-calls-model" = json!(true)), ("x-errors" = json!({
        "409": ["session_archived"],
        "429": ["session_busy"]
    }))),
    security(("api_key" = ["gateway:call"]))
)]
async fn chat_completions(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(proxy, scope, Endpoint::ChatCompletions, headers, body).await
}

/// Completes a text in OpenAI's legacy format. A provider that has this endpoint receives the body unchanged except for the
/// model's name; for others the prompt becomes the only message of a chat.
#[utoipa::path(
    post, path = "/v1/completions", tag = "gateway", operation_id = "completions_create",
    request_body(content = CompletionRequest, content_type = "application/json", description = "OpenAI's request; `model` is a route or `provider/model`",
        example = json!({"model": "openai/gpt-3.5-turbo-instruct", "prompt": "Once upon a time", "max_tokens": 64})),
    params(
        ("x-loam-tags" = Option<String>, Header, description = "tags of the call, separated by commas: at most 8 of at most 64 characters each"),
    ),
    responses(
        (
            status = 200, content((TextCompletion = "application/json"), (TextCompletionEvent = "text/event-stream")),
            description = "The completion; with `stream`, its events.",
        ),
        (status = "4XX", body = ErrorBody),
    ),
    extensions(("x-calls-model" = json!(true))),
    security(("api_key" = ["gateway:call"]))
)]
async fn completions(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(proxy, scope, Endpoint::Completions, headers, body).await
}

/// Creates embeddings in OpenAI's format. The body is sent to the provider unchanged except for the model's name.
#[utoipa::path(
    post, path = "/v1/embeddings", tag = "gateway", operation_id = "embeddings_create",
    request_body(content = EmbeddingRequest, content_type = "application/json", description = "OpenAI's request; `model` is a route or `provider/model`",
        example = json!({"model": "openai/text-embedding-3-small", "input": "Hello"})),
    params(
        ("x-loam-tags" = Option<String>, Header, description = "tags of the call, separated by commas: at most 8 of at most 64 characters each"),
    ),
    responses(
        (status = 200, body = EmbeddingList),
        (status = "4XX", body = ErrorBody),
    ),
    extensions(("x-calls-model" = json!(true))),
    security(("api_key" = ["gateway:call"]))
)]
async fn embeddings(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(proxy, scope, Endpoint::Embeddings, headers, body).await
}

/// Creates a response in OpenAI's format, with any provider. A provider that has this endpoint receives the body
/// unchanged except for the model's name, and stores the response; for others the request and the response are
/// translated, and `previous_response_id` is found in the record of the call.
#[utoipa::path(
    post, path = "/v1/responses", tag = "gateway", operation_id = "responses_create",
    request_body(content = ResponseRequest, content_type = "application/json", description = "OpenAI's request; `model` is a route or `provider/model`",
        example = json!({"model": "openai/gpt-4o-mini", "input": "Hello"})),
    responses(
        (
            status = 200, content((ResponseObject = "application/json"), (ResponseEvent = "text/event-stream")),
            description = "OpenAI's response; with `stream`, its events.",
        ),
        (status = "4XX", body = ErrorBody),
    ),
    params(
        ("x-loam-session-id" = Option<String>, Header, description = "your conversation. If it is the id of a chat session, or its `external_id`, the messages are stored there. Any other value is recorded with the call"),
        ("x-loam-tags" = Option<String>, Header, description = "tags of the call, separated by commas: at most 8 of at most 64 characters each"),
    ),
    extensions(("x-calls-model" = json!(true)), ("x-errors" = json!({
        "400": ["previous_response_not_found"],
        "409": ["session_archived"],
        "429": ["session_busy"]
    }))),
    security(("api_key" = ["gateway:call"]))
)]
async fn responses(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(proxy, scope, Endpoint::Responses, headers, body).await
}

pub(super) async fn call(
    proxy: Proxy,
    scope: Scope,
    endpoint: Endpoint,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Response> {
    let mut rate_limits = RateLimitStatus::default();
    let binding = proxy.bind_conversation(&scope, endpoint, &headers).await?;
    let session = binding.as_ref().and_then(|binding| binding.conversation.session);
    let (id, response) = make_call(
        proxy,
        &scope,
        endpoint,
        &headers,
        body,
        CallContext { binding, ..CallContext::default() },
        &mut rate_limits,
    )
    .await;
    let mut response = match response {
        Ok(response) => response.into_response(),
        Err(CallError { error, headers }) => {
            let mut response = ApiError::from(error).into_response();
            response.headers_mut().extend(headers);
            response
        }
    };
    // Loam's own limits replace the provider's
    rate_limits.write(response.headers_mut());
    // failed calls are recorded too
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
        response.headers_mut().insert(CALL_ID, id);
    }
    // tells the client that the messages are stored, and not only the name
    if let Some(session) = session.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
        response.headers_mut().insert(SESSION, session);
    }
    Ok(response)
}
