//! The route of exports.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use loam_http::surface::{ApiResult, Caller, Query};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::ExportOf;
use crate::Identity;

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(export)).with_state(identity)
}

/// Exports all data about a person as JSON Lines.
///
/// It comes from the locations that an erasure deletes. Each line has `place` and the row as `data`, as the API shows
/// it. Without `exports:all` only your own data. The last line contains the number
/// of rows; an export without it is incomplete. The audit trail records the export.
#[utoipa::path(
    get, path = "/api/v1/exports", tag = "erasures", operation_id = "exports_export",
    params(ExportOf),
    responses((status = 200, body = String, content_type = "application/x-ndjson")),
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
