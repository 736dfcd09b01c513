//! The route of exports.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Query};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::ExportOf;
use crate::Identity;

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(export)).with_state(identity)
}

/// Everything that is known of a person, as JSON Lines: the places that an erasure removes it from, each row as the API
/// shows it with `place` and `data`. Without `exports:all` one's own. A last line says how many rows there are: without it
/// the export is not whole. That there was an export is on the audit trail.
#[utoipa::path(
    get, path = "/api/v1/exports", tag = "erasures", operation_id = "exports_export",
    params(ExportOf),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["exports:read"]))
)]
async fn export(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Query(of): Query<ExportOf>,
) -> ApiResult<Response> {
    let lines = identity.export_person(&scope, of).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"personal_data.jsonl\""),
    ];
    Ok((headers, Body::from_stream(lines.into_stream())).into_response())
}
