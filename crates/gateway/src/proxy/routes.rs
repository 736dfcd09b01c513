//! The routes that speak OpenAI's wire format.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use loam_http::surface::{ApiError, ApiResult, Body, Caller, ErrorBody};
use loam_kernel::{LlmCallId, Result, Scope};
use loam_providers::Endpoint;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::call::Call;
use super::kept_on::keep_on;
use super::send::Answer;
use crate::Gateway;
use crate::hook::{PartOf, SESSION};
use crate::limits::admission::Allowance;
use crate::service::Inner;

/// The header that carries the call's id.
const CALL_ID: HeaderName = HeaderName::from_static("x-loam-call-id");

/// The models that can be called.
#[derive(Serialize, ToSchema)]
struct ModelList {
    /// Always `list`.
    object: &'static str,
    data: Vec<ModelEntry>,
}

/// A model.
#[derive(Serialize, ToSchema)]
struct ModelEntry {
    /// What to send as `model`: the alias of a route, or `provider/model`.
    id: String,
    /// Always `model`.
    object: &'static str,
    /// Seconds since 1970; unknown, so 0.
    created: i64,
    /// The provider, or `route`.
    owned_by: String,
}

pub(crate) fn router(gateway: Gateway) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(chat_completions))
        .routes(routes!(embeddings))
        .routes(routes!(responses))
        .routes(routes!(models))
        .with_state(gateway.0)
}

/// A chat completion, in OpenAI's format: the body goes to the provider as it is, but for the model's name. With
/// `"stream": true` the answer is a stream of events.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "gateway", operation_id = "chat_completions_create",
    request_body(content = Object, content_type = "application/json", description = "OpenAI's request; `model` is a route or `provider/model`",
        example = json!({"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]})),
    params(
        ("x-loam-session-id" = Option<String>, Header, description = "your conversation. The id of a chat session, or its `external_id`: what is said is stored there. Anything else is kept with the call"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context, kept with the call"),
    ),
    responses(
        (status = 200, body = Object, content_type = "application/json", description = "OpenAI's answer; events if streamed"),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
    security(("api_key" = ["gateway:call"]))
)]
async fn chat_completions(
    State(gateway): State<Arc<Inner>>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(gateway, scope, Endpoint::ChatCompletions, headers, body).await
}

/// Embeddings, in OpenAI's format: the body goes to the provider as it is, but for the model's name.
#[utoipa::path(
    post, path = "/v1/embeddings", tag = "gateway", operation_id = "embeddings_create",
    request_body(content = Object, content_type = "application/json", description = "OpenAI's request; `model` is a route or `provider/model`",
        example = json!({"model": "openai/text-embedding-3-small", "input": "Hello"})),
    responses(
        (status = 200, body = Object, content_type = "application/json", description = "OpenAI's answer"),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
    security(("api_key" = ["gateway:call"]))
)]
async fn embeddings(
    State(gateway): State<Arc<Inner>>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(gateway, scope, Endpoint::Embeddings, headers, body).await
}

/// A response, in OpenAI's format: the body goes to the provider as it is, but for the model's name. Only providers whose
/// kind has this endpoint serve it; what a provider stores, it stores.
#[utoipa::path(
    post, path = "/v1/responses", tag = "gateway", operation_id = "responses_create",
    request_body(content = Object, content_type = "application/json", description = "OpenAI's request; `model` is a route or `provider/model`",
        example = json!({"model": "openai/gpt-4o-mini", "input": "Hello"})),
    responses(
        (status = 200, body = Object, content_type = "application/json", description = "OpenAI's answer; events if streamed"),
        (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody),
    ),
    security(("api_key" = ["gateway:call"]))
)]
async fn responses(
    State(gateway): State<Arc<Inner>>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(gateway, scope, Endpoint::Responses, headers, body).await
}

pub(super) async fn call(
    gateway: Arc<Inner>,
    scope: Scope,
    endpoint: Endpoint,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Response> {
    let mut told = Allowance::default();
    let place = gateway.place_of(&scope, endpoint, &headers).await?;
    let session = place.as_ref().and_then(|place| place.named.session);
    let (id, answer) =
        ask(gateway, &scope, endpoint, &headers, body, PartOf { place, end_user: None }, &mut told).await;
    let mut response = answer.unwrap_or_else(|e| ApiError::from(e).into_response());
    // Loam's own limits are nearer than the provider's
    told.write(response.headers_mut());
    // a call that failed is on record as well
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
        response.headers_mut().insert(CALL_ID, id);
    }
    // says that what was said is kept there, and not only its name
    if let Some(session) = session.and_then(|id| HeaderValue::from_str(&id.to_string()).ok()) {
        response.headers_mut().insert(SESSION, session);
    }
    Ok(response)
}

/// Makes a call; `told` becomes what the client is told of its limits. The id is there once the call is on record.
pub(super) async fn ask(
    gateway: Arc<Inner>,
    scope: &Scope,
    endpoint: Endpoint,
    headers: &HeaderMap,
    body: Bytes,
    part: PartOf,
    told: &mut Allowance,
) -> (Option<LlmCallId>, Result<Response>) {
    match gateway.open_call(scope, endpoint, headers, body, part, told).await {
        Ok(call) => {
            let (id, calls) = (call.open.record.id, gateway.calls.clone());
            (Some(id), keep_on(&calls, exchange(gateway, call)).await)
        }
        Err(e) => (None, Err(e)),
    }
}

async fn exchange(gateway: Arc<Inner>, mut call: Box<Call>) -> Result<Response> {
    if let Some(kept) = gateway.kept_answer(&mut call) {
        return Box::pin(gateway.answer_kept(*call, &kept)).await;
    }
    match gateway.search(&mut call).await {
        Ok(Answer::Whole { head, whole }) => gateway.answer_whole(call, head, whole).await,
        Ok(Answer::Stream { head, first, body, reader }) => {
            Ok(gateway.answer_streamed(*call, head, first, body, reader))
        }
        Err(e) => Err(Box::pin(gateway.fail(*call, e)).await),
    }
}

/// What can be called: routes by their alias, models as `provider/model`.
#[utoipa::path(
    get, path = "/v1/models", tag = "gateway", operation_id = "models_list",
    responses((status = 200, body = ModelList), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["gateway:call"]))
)]
async fn models(State(gateway): State<Arc<Inner>>, Caller(scope): Caller) -> ApiResult<Json<ModelList>> {
    let models = gateway.list_models(&scope).await?;
    let entry = |(id, owned_by)| ModelEntry { id, object: "model", created: 0, owned_by };
    Ok(Json(ModelList { object: "list", data: models.into_iter().map(entry).collect() }))
}
