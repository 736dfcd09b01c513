//! The routes of OTLP over HTTP.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use loam_http::surface::{ApiResult, Caller};
use loam_kernel::{Result, Scope};
use prost::Message;
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::body::{Encoding, read};
use super::refused::Refused;
use super::spans::Owner;
use super::wire::{ExportResponse, MetricsRequest, PartialSuccess, TracesRequest};
use crate::ingest::{Sender, named};
use crate::service::Insight;

pub(crate) fn router(insight: Insight) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(traces))
        .routes(routes!(traces_below))
        .routes(routes!(metrics))
        .routes(routes!(metrics_below))
        .with_state(insight)
}

/// Takes spans of OpenTelemetry, as its exporters send them: `ExportTraceServiceRequest` in protobuf or JSON, packed by gzip
/// or not. They are durable when it answers. What was refused is told in `partial_success`.
#[utoipa::path(
    post, path = "/v1/traces", tag = "telemetry", operation_id = "otlp_traces",
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportTraceServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", description = "`google.rpc.Status`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    ),
    security(("api_key" = ["telemetry:send"]))
)]
async fn traces(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    take_traces(&insight, &scope, &headers, body).await
}

/// The same, for who has one address for all of OpenTelemetry: `OTEL_EXPORTER_OTLP_ENDPOINT=…/otlp`.
#[utoipa::path(
    post, path = "/otlp/v1/traces", tag = "telemetry", operation_id = "otlp_traces_below",
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportTraceServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", description = "`google.rpc.Status`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    ),
    security(("api_key" = ["telemetry:send"]))
)]
async fn traces_below(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    take_traces(&insight, &scope, &headers, body).await
}

/// Takes values of metrics of OpenTelemetry, as its exporters send them: `ExportMetricsServiceRequest` in protobuf or JSON,
/// packed by gzip or not. They are durable when it answers. What was refused is told in `partial_success`.
#[utoipa::path(
    post, path = "/v1/metrics", tag = "telemetry", operation_id = "otlp_metrics",
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportMetricsServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", description = "`google.rpc.Status`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    ),
    security(("api_key" = ["telemetry:send"]))
)]
async fn metrics(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    take_metrics(&insight, &scope, &headers, body).await
}

/// The same, for who has one address for all of OpenTelemetry: `OTEL_EXPORTER_OTLP_ENDPOINT=…/otlp`.
#[utoipa::path(
    post, path = "/otlp/v1/metrics", tag = "telemetry", operation_id = "otlp_metrics_below",
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses(
        (status = 200, description = "`ExportMetricsServiceResponse`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
        (status = "4XX", description = "`google.rpc.Status`", content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    ),
    security(("api_key" = ["telemetry:send"]))
)]
async fn metrics_below(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    take_metrics(&insight, &scope, &headers, body).await
}

async fn take_traces(
    insight: &Insight,
    scope: &Scope,
    headers: &HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    let (encoding, sender) = (Encoding::of(headers)?, sender(insight, scope, headers).await?);
    let settings = insight.0.otlp.of(sender.tenant);
    let request: TracesRequest = read(scope.tenant(), headers, body, encoding, &settings).await?;
    let refused = insight.take_spans(request, &sender).await?;
    Ok(answer(encoding, "rejectedSpans", "spans", &refused))
}

async fn take_metrics(
    insight: &Insight,
    scope: &Scope,
    headers: &HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    let (encoding, sender) = (Encoding::of(headers)?, sender(insight, scope, headers).await?);
    let settings = insight.0.otlp.of(sender.tenant);
    let request: MetricsRequest = read(scope.tenant(), headers, body, encoding, &settings).await?;
    let refused = insight.take_otlp_metrics(request, Owner::from(&sender)).await?;
    Ok(answer(encoding, "rejectedDataPoints", "data_points", &refused))
}

/// Whose telemetry it is: the key's project, else the one that the header x-loam-project names.
pub(crate) async fn sender(insight: &Insight, scope: &Scope, headers: &HeaderMap) -> Result<Sender> {
    let sender = insight.sender(scope, named(headers)?).await?;
    insight.count(&sender)?;
    Ok(sender)
}

/// What was taken, and what was not.
fn answer(encoding: Encoding, name: &str, what: &'static str, refused: &Refused) -> Response {
    if refused.count() > 0 {
        metrics::counter!("loam_telemetry_refused_total", "what" => what).increment(refused.count());
    }
    let partial_success = refused.message().map(|error_message| PartialSuccess {
        rejected: i64::try_from(refused.count()).unwrap_or(i64::MAX),
        error_message,
    });
    let body = match (encoding, partial_success) {
        (Encoding::Protobuf, partial_success) => ExportResponse { partial_success }.encode_to_vec(),
        (Encoding::Json, None) => b"{}".to_vec(),
        (Encoding::Json, Some(partial)) => {
            // protobuf's JSON writes numbers of 64 bits as text
            let said = json!({ name: partial.rejected.to_string(), "errorMessage": partial.error_message });
            json!({ "partialSuccess": said }).to_string().into_bytes()
        }
    };
    ([(header::CONTENT_TYPE, encoding.content_type())], body).into_response()
}
