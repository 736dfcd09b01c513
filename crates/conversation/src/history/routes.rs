//! The routes of histories.

use axum::Json as JsonResponse;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use loam_http::surface::{ApiResult, Caller, Query, chunks};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{ImportMode, ImportOptions, Imported};
use crate::chat_sessions::ChatSessionFilter;
use crate::history::History;

/// The types of query parameters, which utoipa does not collect.
#[derive(OpenApi)]
#[openapi(components(schemas(ImportMode)))]
struct ParameterTypes;

pub(crate) fn router(history: History) -> OpenApiRouter {
    OpenApiRouter::with_openapi(ParameterTypes::openapi())
        .routes(routes!(import))
        .routes(routes!(export))
        .with_state(history)
}

/// Imports sessions with their messages from JSON Lines: an export, or a history from another system.
///
/// Lines with messages require `messages:write`.
#[utoipa::path(
    post, path = "/api/v1/chat_sessions/import", tag = "chat_sessions", operation_id = "chat_sessions_import",
    params(ImportOptions),
    request_body(content = Vec<u8>, content_type = "application/x-ndjson"),
    responses((status = 200, body = Imported)),
    extensions(("x-errors" = json!({
        "400": ["invalid_line"],
        "408": ["import_too_slow"],
        "413": ["import_too_large", "line_too_long"],
        "429": ["import_busy"]
    }))),
    security(("api_key" = ["chat_sessions:write"]))
)]
async fn import(
    State(history): State<History>,
    Caller(scope): Caller,
    Query(options): Query<ImportOptions>,
    request: Request,
) -> ApiResult<JsonResponse<Imported>> {
    Ok(JsonResponse(history.import(&scope, chunks(request.into_body()), options).await?))
}

/// Exports sessions with their settings and messages as JSON Lines, oldest first.
///
/// Without `messages:read` the messages are left out. The last line contains the number of sessions and
/// messages; an export without it is incomplete.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/export", tag = "chat_sessions", operation_id = "chat_sessions_export",
    params(ChatSessionFilter),
    responses((status = 200, body = String, content_type = "application/x-ndjson")),
    security(("api_key" = ["chat_sessions:read"]))
)]
async fn export(
    State(history): State<History>,
    Caller(scope): Caller,
    Query(filter): Query<ChatSessionFilter>,
) -> ApiResult<Response> {
    let mut export = history.export(&scope, filter);
    // The first chunk is read before responding, so that an invalid filter gives an error response, not a
    // truncated body.
    let first = export.next().await?.unwrap_or_default();
    let first = futures_util::stream::once(std::future::ready(Ok(first)));
    let lines = futures_util::StreamExt::chain(first, export.into_stream());
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"chat_sessions.jsonl\""),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}
