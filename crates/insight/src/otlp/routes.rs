//! The routes of OTLP over HTTP.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use loam_http::surface::{ApiResult, Caller};
use loam_kernel::{ProjectId, Result, Scope};
use prost::Message;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::body::{Encoding, Signal, decode};
use super::project_ref::ProjectRef;
use super::rejections::Rejections;
use super::wire::{
    Decoded, ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportServiceResponse,
    ExportTraceServiceRequest, PartialSuccess,
};
use crate::ingest::{Ingest, IngestSource};

/// An error in the format of OTLP, `google.rpc.Status`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `otlp_error_shape` writes")]
struct RpcStatus {
    /// A `google.rpc.Code`.
    code: i32,
    /// Message for people.
    message: String,
}

pub(crate) fn router(ingest: Ingest) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(traces))
        .routes(routes!(traces_below))
        .routes(routes!(traces_langfuse))
        .routes(routes!(metrics))
        .routes(routes!(metrics_below))
        .routes(routes!(logs))
        .routes(routes!(logs_below))
        .with_state(ingest)
}

/// Ingests OpenTelemetry spans.
///
/// The body is an `ExportTraceServiceRequest` in protobuf or JSON, optionally compressed with gzip. The spans are durable when the response is sent. Rejected spans are reported in `partial_success`.
#[utoipa::path(
    post, path = "/v1/traces", tag = "telemetry", operation_id = "otlp_traces",
    params(
        ("x-loam-project" = Option<ProjectId>, Header, description = "Project of the data, for keys of the whole tenant."),
        ("Content-Encoding" = Option<String>, Header, description = "`gzip` or `zstd`."),
    ),
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportTraceServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", content((Vec<u8> = "application/x-protobuf"), (RpcStatus = "application/json"))),
    ),
    extensions(("x-errors" = json!({"415": ["unsupported_media_type"]}))),
    security(("api_key" = ["telemetry:send"]))
)]
async fn traces(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    ingest_traces(&ingest, &scope, &headers, body).await
}

/// The same as the route without `/otlp`, for clients with a common base URL.
///
/// Set `OTEL_EXPORTER_OTLP_ENDPOINT=…/otlp`.
#[utoipa::path(
    post, path = "/otlp/v1/traces", tag = "telemetry", operation_id = "otlp_traces_below",
    params(
        ("x-loam-project" = Option<ProjectId>, Header, description = "Project of the data, for keys of the whole tenant."),
        ("Content-Encoding" = Option<String>, Header, description = "`gzip` or `zstd`."),
    ),
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportTraceServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", content((Vec<u8> = "application/x-protobuf"), (RpcStatus = "application/json"))),
    ),
    extensions(("x-errors" = json!({"415": ["unsupported_media_type"]}))),
    security(("api_key" = ["telemetry:send"]))
)]
async fn traces_below(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    ingest_traces(&ingest, &scope, &headers, body).await
}

/// The same for Langfuse's clients, with `LANGFUSE_HOST` set to this server.
///
/// They send the project's ingest key as the secret key of a pair, with Basic authentication; any public key.
#[utoipa::path(
    post, path = "/api/public/otel/v1/traces", tag = "telemetry", operation_id = "otlp_traces_langfuse",
    params(
        ("x-loam-project" = Option<ProjectId>, Header, description = "Project of the data, for keys of the whole tenant."),
        ("Content-Encoding" = Option<String>, Header, description = "`gzip` or `zstd`."),
    ),
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportTraceServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", content((Vec<u8> = "application/x-protobuf"), (RpcStatus = "application/json"))),
    ),
    extensions(("x-errors" = json!({"415": ["unsupported_media_type"]}))),
    security(("api_key" = ["telemetry:send"]))
)]
async fn traces_langfuse(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    ingest_traces(&ingest, &scope, &headers, body).await
}

/// Ingests OpenTelemetry metrics.
///
/// The body is an `ExportMetricsServiceRequest` in protobuf or JSON, optionally compressed. The values are durable when
/// the response is sent. Rejected data points are reported in `partial_success`.
#[utoipa::path(
    post, path = "/v1/metrics", tag = "telemetry", operation_id = "otlp_metrics",
    params(
        ("x-loam-project" = Option<ProjectId>, Header, description = "Project of the data, for keys of the whole tenant."),
        ("Content-Encoding" = Option<String>, Header, description = "`gzip` or `zstd`."),
    ),
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportMetricsServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", content((Vec<u8> = "application/x-protobuf"), (RpcStatus = "application/json"))),
    ),
    extensions(("x-errors" = json!({"415": ["unsupported_media_type"]}))),
    security(("api_key" = ["telemetry:send"]))
)]
async fn metrics(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    ingest_metrics(&ingest, &scope, &headers, body).await
}

/// The same as the route without `/otlp`, for clients with a common base URL.
///
/// Set `OTEL_EXPORTER_OTLP_ENDPOINT=…/otlp`.
#[utoipa::path(
    post, path = "/otlp/v1/metrics", tag = "telemetry", operation_id = "otlp_metrics_below",
    params(
        ("x-loam-project" = Option<ProjectId>, Header, description = "Project of the data, for keys of the whole tenant."),
        ("Content-Encoding" = Option<String>, Header, description = "`gzip` or `zstd`."),
    ),
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportMetricsServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", content((Vec<u8> = "application/x-protobuf"), (RpcStatus = "application/json"))),
    ),
    extensions(("x-errors" = json!({"415": ["unsupported_media_type"]}))),
    security(("api_key" = ["telemetry:send"]))
)]
async fn metrics_below(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    ingest_metrics(&ingest, &scope, &headers, body).await
}

/// Ingests OpenTelemetry log records.
///
/// The body is an `ExportLogsServiceRequest` in protobuf or JSON, optionally compressed. Log records with an exception, or of
/// severity `ERROR` or above, become error logs, which are durable when the response is sent. Others are accepted and not
/// stored. Rejected log records are reported in `partial_success`.
#[utoipa::path(
    post, path = "/v1/logs", tag = "telemetry", operation_id = "otlp_logs",
    params(
        ("x-loam-project" = Option<ProjectId>, Header, description = "Project of the data, for keys of the whole tenant."),
        ("Content-Encoding" = Option<String>, Header, description = "`gzip` or `zstd`."),
    ),
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportLogsServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", content((Vec<u8> = "application/x-protobuf"), (RpcStatus = "application/json"))),
    ),
    extensions(("x-errors" = json!({"415": ["unsupported_media_type"]}))),
    security(("api_key" = ["telemetry:send"]))
)]
async fn logs(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    ingest_logs(&ingest, &scope, &headers, body).await
}

/// The same as the route without `/otlp`, for clients with a common base URL.
///
/// Set `OTEL_EXPORTER_OTLP_ENDPOINT=…/otlp`.
#[utoipa::path(
    post, path = "/otlp/v1/logs", tag = "telemetry", operation_id = "otlp_logs_below",
    params(
        ("x-loam-project" = Option<ProjectId>, Header, description = "Project of the data, for keys of the whole tenant."),
        ("Content-Encoding" = Option<String>, Header, description = "`gzip` or `zstd`."),
    ),
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportLogsServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", content((Vec<u8> = "application/x-protobuf"), (RpcStatus = "application/json"))),
    ),
    extensions(("x-errors" = json!({"415": ["unsupported_media_type"]}))),
    security(("api_key" = ["telemetry:send"]))
)]
async fn logs_below(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    ingest_logs(&ingest, &scope, &headers, body).await
}

async fn ingest_traces(
    ingest: &Ingest,
    scope: &Scope,
    headers: &HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    let (encoding, source, request) =
        receive::<ExportTraceServiceRequest>(ingest, scope, headers, body).await?;
    let rejections = ingest.ingest_spans(request, &source).await?;
    Ok(export_response(encoding, "rejectedSpans", "spans", &rejections))
}

async fn ingest_metrics(
    ingest: &Ingest,
    scope: &Scope,
    headers: &HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    let (encoding, source, request) =
        receive::<ExportMetricsServiceRequest>(ingest, scope, headers, body).await?;
    let rejections = ingest.ingest_otlp_metrics(request, ProjectRef::from(&source)).await?;
    Ok(export_response(encoding, "rejectedDataPoints", "data_points", &rejections))
}

async fn ingest_logs(ingest: &Ingest, scope: &Scope, headers: &HeaderMap, body: Body) -> ApiResult<Response> {
    let (encoding, source, request) =
        receive::<ExportLogsServiceRequest>(ingest, scope, headers, body).await?;
    let rejections = ingest.ingest_logs(request, ProjectRef::from(&source)).await?;
    Ok(export_response(encoding, "rejectedLogRecords", "log_records", &rejections))
}

async fn receive<T: Signal + Send>(
    ingest: &Ingest,
    scope: &Scope,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Encoding, IngestSource, Decoded<T>)> {
    let encoding = Encoding::of(headers)?;
    let max_items = ingest.0.otlp.with(scope.tenant(), |settings| settings.max_items);
    let decode = move |_: &IngestSource, bytes: &[u8]| decode(bytes, encoding, max_items);
    let (source, request) = ingest.receive(scope, None, headers, body, decode).await?;
    Ok((encoding, source, request))
}

/// The export response.
fn export_response(encoding: Encoding, name: &str, what: &'static str, rejections: &Rejections) -> Response {
    if rejections.count() > 0 {
        metrics::counter!("loam_telemetry_refused_total", "what" => what).increment(rejections.count());
    }
    let partial_success = rejections.message().map(|error_message| PartialSuccess {
        rejected: i64::try_from(rejections.count()).unwrap_or(i64::MAX),
        error_message,
    });
    let body = match (encoding, partial_success) {
        (Encoding::Protobuf, partial_success) => ExportServiceResponse { partial_success }.encode_to_vec(),
        (Encoding::Json, None) => b"{}".to_vec(),
        (Encoding::Json, Some(partial)) => {
            // protobuf's JSON mapping writes 64-bit integers as strings
            let partial_success =
                json!({ name: partial.rejected.to_string(), "errorMessage": partial.error_message });
            json!({ "partialSuccess": partial_success }).to_string().into_bytes()
        }
    };
    ([(header::CONTENT_TYPE, encoding.content_type())], body).into_response()
}
