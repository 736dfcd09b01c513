//! The routes that are passed through to the providers that have them.

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use loam_http::surface::{ApiResult, Body, Caller, ErrorBody, read_at_most};
use loam_providers::Endpoint;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Proxy;
use super::pass_through_schemas::{
    EndpointEvent, ImageList, ImageRequest, Moderation, ModerationRequest, Ranking, RerankRequest,
    SpeechRequest, Transcription, TranscriptionForm,
};
use super::routes::call;

pub(crate) fn router(proxy: Proxy) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(speech))
        .routes(routes!(transcriptions))
        .routes(routes!(images))
        .routes(routes!(moderations))
        .routes(routes!(rerank))
        .with_state(proxy)
}

/// Speaks a text, in OpenAI's format. The audio is sent as it arrives; its content type is that of the requested format. The
/// call is counted by the characters of the text.
#[utoipa::path(
    post, path = "/v1/audio/speech", tag = "gateway", operation_id = "speech_create",
    request_body(content = SpeechRequest, content_type = "application/json", description = "the request; `model` is a route or `provider/model`",
        example = json!({"model": "openai/gpt-4o-mini-tts", "input": "Hello", "voice": "alloy"})),
    params(
        ("x-loam-tags" = Option<String>, Header, description = "tags of the call, separated by commas: at most 8 of at most 64 characters each"),
    ),
    responses(
        (
            status = 200, content((Vec<u8> = "application/octet-stream"), (Vec<u8> = "audio/mpeg"), (EndpointEvent = "text/event-stream")),
            description = "The audio; with `stream_format` `sse`, OpenAI's events.",
        ),
        (status = "4XX", body = ErrorBody),
    ),
    extensions(("x-calls-model" = json!(true))),
    security(("api_key" = ["gateway:call"]))
)]
async fn speech(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(proxy, scope, Endpoint::Speech, headers, body).await
}

/// Transcribes audio, in OpenAI's format. The form is sent unchanged except for the model's name. The call is counted by the
/// seconds or tokens that the provider reports.
#[utoipa::path(
    post, path = "/v1/audio/transcriptions", tag = "gateway", operation_id = "transcriptions_create",
    request_body(content = TranscriptionForm, content_type = "multipart/form-data", description = "OpenAI's form; `model` is a route or `provider/model`",
        example = json!({"model": "openai/whisper-1", "file": "…"})),
    params(
        ("x-loam-tags" = Option<String>, Header, description = "tags of the call, separated by commas: at most 8 of at most 64 characters each"),
    ),
    responses(
        (
            status = 200,
            content((Transcription = "application/json"), (String = "text/plain"), (EndpointEvent = "text/event-stream")),
            description = "The transcription, in the requested format; with `stream`, OpenAI's events.",
        ),
        (status = "4XX", body = ErrorBody),
    ),
    extensions(("x-calls-model" = json!(true)), ("x-errors" = json!({"400": ["invalid_form"]}))),
    security(("api_key" = ["gateway:call"]))
)]
async fn transcriptions(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    headers: HeaderMap,
    request: Request,
) -> ApiResult<Response> {
    let body = read_at_most(request.into_body(), usize::MAX).await?;
    call(proxy, scope, Endpoint::Transcriptions, headers, body).await
}

/// Generates images, in OpenAI's format. The call is counted by the images, and by the tokens if the provider reports them.
#[utoipa::path(
    post, path = "/v1/images/generations", tag = "gateway", operation_id = "images_generate",
    request_body(content = ImageRequest, content_type = "application/json", description = "the request; `model` is a route or `provider/model`",
        example = json!({"model": "openai/gpt-image-1", "prompt": "A fox in the snow"})),
    params(
        ("x-loam-tags" = Option<String>, Header, description = "tags of the call, separated by commas: at most 8 of at most 64 characters each"),
    ),
    responses(
        (
            status = 200, content((ImageList = "application/json"), (EndpointEvent = "text/event-stream")),
            description = "The images; with `stream`, OpenAI's events.",
        ),
        (status = "4XX", body = ErrorBody),
    ),
    extensions(("x-calls-model" = json!(true))),
    security(("api_key" = ["gateway:call"]))
)]
async fn images(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(proxy, scope, Endpoint::Images, headers, body).await
}

/// Classifies texts and images as harmful or not, in OpenAI's format.
#[utoipa::path(
    post, path = "/v1/moderations", tag = "gateway", operation_id = "moderations_create",
    request_body(content = ModerationRequest, content_type = "application/json", description = "the request; `model` is a route or `provider/model`",
        example = json!({"model": "openai/omni-moderation-latest", "input": "Hello"})),
    params(
        ("x-loam-tags" = Option<String>, Header, description = "tags of the call, separated by commas: at most 8 of at most 64 characters each"),
    ),
    responses(
        (status = 200, body = Moderation),
        (status = "4XX", body = ErrorBody),
    ),
    extensions(("x-calls-model" = json!(true))),
    security(("api_key" = ["gateway:call"]))
)]
async fn moderations(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(proxy, scope, Endpoint::Moderations, headers, body).await
}

/// Ranks documents by their relevance for a query, in the format that Jina and Cohere share. The call is counted by the
/// tokens or searches that the provider reports.
#[utoipa::path(
    post, path = "/v1/rerank", tag = "gateway", operation_id = "rerank_create",
    request_body(content = RerankRequest, content_type = "application/json", description = "the request; `model` is a route or `provider/model`",
        example = json!({"model": "jina/jina-reranker-v2-base-multilingual", "query": "capital of Norway", "documents": ["Bergen", "Oslo"]})),
    params(
        ("x-loam-tags" = Option<String>, Header, description = "tags of the call, separated by commas: at most 8 of at most 64 characters each"),
    ),
    responses(
        (status = 200, body = Ranking),
        (status = "4XX", body = ErrorBody),
    ),
    extensions(("x-calls-model" = json!(true))),
    security(("api_key" = ["gateway:call"]))
)]
async fn rerank(
    State(proxy): State<Proxy>,
    Caller(scope): Caller,
    headers: HeaderMap,
    Body(body): Body,
) -> ApiResult<Response> {
    call(proxy, scope, Endpoint::Rerank, headers, body).await
}
