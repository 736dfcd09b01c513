//! The routes by which applications send what they do.

use axum::Json as Answer;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Query};
use loam_identity::projects::entity::MonitoringStatus;
use loam_identity::projects::service::AlertThreshold;
use loam_kernel::ProjectId;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::sender::{Named, Sender, named};
use super::take::Accepted;
use crate::service::Insight;

/// How an application shall watch itself, as it stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct SendingConfig {
    project_id: ProjectId,
    /// Whether to record and send anything: false also for a project that is not watched for now.
    enabled: bool,
    /// The share of requests to record, 0 to 1.
    sampling_rate: f64,
    /// Whether slow records are analysed by themselves.
    auto_analysis: bool,
    alert_threshold: AlertThreshold,
    /// The most records of a batch.
    max_records: usize,
    /// The most calls of a record.
    max_calls: usize,
    /// The largest body as it is sent, in bytes.
    max_body_bytes: usize,
}

pub(crate) fn router(insight: Insight) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(records)).routes(routes!(config)).with_state(insight)
}

/// Sends records: requests that an application served, each with its calls. The format is in docs/FORMATS.md. 202 when
/// all were taken, 207 when some were, 400 when none was. What was taken is durable; what is sent again counts once.
#[utoipa::path(
    post, path = "/api/v1/ingest/records", tag = "telemetry", operation_id = "ingest_records",
    params(
        Named,
        ("x-loam-project" = Option<ProjectId>, Header),
        ("Content-Encoding" = Option<String>, Header, description = "gzip or zstd")
    ),
    request_body(content(
        (serde_json::Value = "application/json"),
        (Vec<u8> = "application/msgpack")
    )),
    responses(
        (status = 202, body = Accepted), (status = 207, body = Accepted, description = "some were not taken"),
        (status = "4XX", body = ErrorBody)
    ),
    security(("api_key" = ["telemetry:send"]))
)]
async fn records(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(asked): Query<Named>,
    headers: HeaderMap,
    request: Request,
) -> ApiResult<(StatusCode, Answer<Accepted>)> {
    let sender = insight.sender(&scope, asked.project.or(named(&headers)?)).await?;
    let body = insight.telemetry(&sender, &headers, request.into_body()).await?;
    let accepted = insight.take(&sender, &headers, body).await?;
    let status = if accepted.rejected.is_empty() { StatusCode::ACCEPTED } else { StatusCode::MULTI_STATUS };
    Ok((status, Answer(accepted)))
}

/// How the key's application shall watch itself. With `If-None-Match` 304 while nothing has changed.
#[utoipa::path(
    get, path = "/api/v1/ingest/config", tag = "telemetry", operation_id = "ingest_config",
    params(
        Named,
        ("x-loam-project" = Option<ProjectId>, Header),
        ("If-None-Match" = Option<String>, Header)
    ),
    responses(
        (status = 200, body = SendingConfig), (status = 304, description = "as it was"), (status = "4XX", body = ErrorBody)
    ),
    security(("api_key" = ["telemetry:send"]))
)]
async fn config(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(asked): Query<Named>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let sender = insight.any_sender(&scope, asked.project.or(named(&headers)?)).await?;
    let config = insight.sending_config(&sender);
    let bytes = serde_json::to_vec(&config).map_err(loam_kernel::Error::internal)?;
    // of what is answered, as limits are set elsewhere than the project
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
    let tag = digest.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let tag = format!("\"{tag:016x}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let same = known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag);
    let tag = HeaderValue::from_str(&tag).map_err(loam_kernel::Error::internal)?;
    let headers =
        [(header::ETAG, tag), (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))];
    Ok(match same {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => (headers, Answer(config)).into_response(),
    })
}

impl Insight {
    fn sending_config(&self, sender: &Sender) -> SendingConfig {
        let limits = self.0.ingest.of(sender.tenant);
        let (project, config) = (&sender.project, &sender.project.config);
        SendingConfig {
            project_id: project.id,
            enabled: config.enabled && project.status == MonitoringStatus::Active,
            sampling_rate: config.sampling_rate,
            auto_analysis: config.auto_analysis,
            alert_threshold: config.alert_threshold.clone(),
            max_records: limits.max_records,
            max_calls: limits.max_calls,
            max_body_bytes: limits.max_body_bytes,
        }
    }
}
