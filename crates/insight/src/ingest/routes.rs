//! The routes by which applications send records.

use axum::Json as Answer;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loam_http::surface::{ApiResult, Caller, Query};
use loam_identity::projects::MonitoringStatus;
use loam_identity::projects::service::AlertThreshold;
use loam_kernel::ProjectId;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service::{Accepted, decode, format};
use super::source::{IngestSource, ProjectSelector, project_header};
use crate::ingest::Ingest;

/// The configuration of a monitored application.
#[derive(Serialize, ToSchema)]
pub(crate) struct SendingConfig {
    project_id: ProjectId,
    /// Whether to record and send telemetry. Also false while the project is not active.
    enabled: bool,
    /// The fraction of requests to record, 0 to 1.
    sampling_rate: f64,
    /// Whether slow records are analysed automatically.
    auto_analysis: bool,
    alert_threshold: AlertThreshold,
    /// Maximum number of records in a batch.
    max_records: usize,
    /// Maximum number of calls in a record.
    max_calls: usize,
    /// Maximum size of a body as sent, in bytes.
    max_body_bytes: usize,
}

pub(crate) fn router(ingest: Ingest) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(records)).routes(routes!(config)).with_state(ingest)
}

/// Ingests performance records. A record is a request that the application served, with its calls; docs/FORMATS.md
/// describes the format. Returns 202 if all records were accepted, 207 if some were, 400 if none was. Accepted records
/// are durable; duplicates are counted once.
#[utoipa::path(
    post, path = "/api/v1/ingest/records", tag = "telemetry", operation_id = "ingest_records",
    params(
        ProjectSelector,
        ("x-loam-project" = Option<ProjectId>, Header),
        ("Content-Encoding" = Option<String>, Header, description = "`gzip` or `zstd`.")
    ),
    request_body(content(
        (serde_json::Value = "application/json"),
        (Vec<u8> = "application/msgpack")
    )),
    responses(
        (status = 202, body = Accepted), (status = 207, body = Accepted, description = "Some records were rejected.")
    ),
    extensions(("x-errors" = json!({
        "400": ["invalid_batch", "invalid_encoding", "project_required", "invalid_record", "too_old", "in_the_future", "too_many_calls", "duplicate_call_id"],
        "403": ["other_project", "project_inactive", "project_archived", "monitoring_disabled"],
        "413": ["too_many_records"],
        "415": ["unsupported_encoding", "unsupported_media_type"],
        "429": ["telemetry_limit"]
    }))),
    security(("api_key" = ["telemetry:send"]))
)]
async fn records(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Query(selector): Query<ProjectSelector>,
    headers: HeaderMap,
    request: Request,
) -> ApiResult<(StatusCode, Answer<Accepted>)> {
    let format = format(&headers)?;
    let tenant = scope.tenant();
    let (limits, times) = (ingest.0.settings.of(tenant), ingest.time_limits(tenant));
    let decode_batch = move |source: &IngestSource, body: &[u8]| decode(source, format, body, &limits, times);
    let (ingest_source, batch) =
        ingest.receive(&scope, selector.project, &headers, request.into_body(), decode_batch).await?;
    let accepted = ingest.ingest_batch(&ingest_source, batch).await?;
    let status = if accepted.rejected.is_empty() { StatusCode::ACCEPTED } else { StatusCode::MULTI_STATUS };
    Ok((status, Answer(accepted)))
}

/// Returns the monitoring configuration of the API key's project. With `If-None-Match`, 304 while it is unchanged.
#[utoipa::path(
    get, path = "/api/v1/ingest/config", tag = "telemetry", operation_id = "ingest_config",
    params(
        ProjectSelector,
        ("x-loam-project" = Option<ProjectId>, Header),
        ("If-None-Match" = Option<String>, Header)
    ),
    responses(
        (status = 200, body = SendingConfig), (status = 304, description = "The configuration is unchanged.")
    ),
    extensions(("x-errors" = json!({
        "400": ["project_required"],
        "403": ["other_project", "project_inactive", "project_archived", "monitoring_disabled"]
    }))),
    security(("api_key" = ["telemetry:send"]))
)]
async fn config(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Query(selector): Query<ProjectSelector>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let ingest_source =
        ingest.ingest_source_in_any_state(&scope, selector.project.or(project_header(&headers)?)).await?;
    let config = ingest.sending_config(&ingest_source);
    let bytes = serde_json::to_vec(&config).map_err(loam_kernel::Error::internal)?;
    // a digest of the response, since limits are configured elsewhere than the project
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
    let hash = digest.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let tag = format!("\"{hash:016x}\"");
    let if_none_match =
        headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_unchanged =
        if_none_match.split(',').any(|tag_text| tag_text.trim().trim_start_matches("W/") == tag);
    let tag = HeaderValue::from_str(&tag).map_err(loam_kernel::Error::internal)?;
    let headers =
        [(header::ETAG, tag), (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"))];
    Ok(match is_unchanged {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => (headers, Answer(config)).into_response(),
    })
}

impl Ingest {
    fn sending_config(&self, ingest_source: &IngestSource) -> SendingConfig {
        let limits = self.0.settings.of(ingest_source.tenant);
        let (project, config) = (&ingest_source.project, &ingest_source.project.config);
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
