//! The routes of rejected records.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged};
use loam_kernel::{JsonObject, Page, PageQuery, ProjectId, RejectedRecordId, null_or};
use loam_platform::pack::unpack_json;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Model, RejectedState};
use super::service::{RejectedRecordFilter, RejectedRecordUpdate};
use crate::ingest::Ingest;

/// A rejected record or span.
#[derive(Serialize, ToSchema)]
pub(crate) struct RejectedRecordView {
    id: RejectedRecordId,
    /// Project ID.
    project_id: ProjectId,
    /// The protocol: `records`, `otlp`.
    source: String,
    /// Error code, for programs.
    code: String,
    /// Error message, for people.
    message: String,
    /// The invalid field, as a path within the record.
    param: Option<String>,
    state: RejectedState,
    /// The record or span with secrets redacted; omitted in lists, null if it was too large to store.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = null_or::<JsonObject>)]
    payload: Option<Value>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl RejectedRecordView {
    fn listed(row: Model) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            source: row.source,
            code: row.code,
            message: row.message,
            param: row.param,
            state: row.state,
            payload: None,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    fn whole(row: Model) -> Self {
        let payload = unpack_json(&row.payload);
        Self { payload: Some(payload), ..Self::listed(row) }
    }
}

pub(crate) fn router(ingest: Ingest) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, update, delete))
        .routes(routes!(replay))
        .with_state(ingest)
}

/// Lists rejected telemetry without its content, newest first.
#[utoipa::path(
    get, path = "/api/v1/rejected_records", tag = "rejected_records", operation_id = "rejected_records_list",
    params(RejectedRecordFilter, PageQuery),
    responses((status = 200, body = Page<RejectedRecordView>)),
    security(("api_key" = ["rejected_records:read"]))
)]
async fn list(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Query(filter): Query<RejectedRecordFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<RejectedRecordView>>> {
    Ok(Answer(ingest.list_rejected(&scope, filter, &page).await?.map(RejectedRecordView::listed)))
}

/// Returns a rejected record.
#[utoipa::path(
    get, path = "/api/v1/rejected_records/{id}", tag = "rejected_records", operation_id = "rejected_records_get",
    params(("id" = RejectedRecordId, Path)),
    responses((status = 200, body = RejectedRecordView)),
    security(("api_key" = ["rejected_records:read"]))
)]
async fn get(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Path(id): Path<RejectedRecordId>,
) -> ApiResult<Tagged<RejectedRecordView>> {
    let row = ingest.get_rejected(&scope, id).await?;
    Ok(Tagged::new(row.updated_at, RejectedRecordView::whole(row)))
}

/// Replaces the content of a rejected record. `state` tells whether it is valid now; if not, `code` and `message` tell
/// why.
#[utoipa::path(
    patch, path = "/api/v1/rejected_records/{id}", tag = "rejected_records", operation_id = "rejected_records_update",
    params(("id" = RejectedRecordId, Path), ("If-Match" = Option<String>, Header)),
    request_body = RejectedRecordUpdate,
    responses((status = 200, body = RejectedRecordView)),
    extensions(("x-errors" = json!({
        "409": ["already_replayed", "payload_not_kept"],
        "413": ["record_too_large"]
    }))),
    security(("api_key" = ["rejected_records:write"]))
)]
async fn update(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Path(id): Path<RejectedRecordId>,
    IfMatch(version): IfMatch,
    Json(new): Json<RejectedRecordUpdate>,
) -> ApiResult<Tagged<RejectedRecordView>> {
    let row = ingest.update_rejected(&scope, id, &version, new).await?;
    Ok(Tagged::new(row.updated_at, RejectedRecordView::whole(row)))
}

/// Ingests a rejected record as if it were sent now.
#[utoipa::path(
    post, path = "/api/v1/rejected_records/{id}/replay", tag = "rejected_records",
    operation_id = "rejected_records_replay",
    params(("id" = RejectedRecordId, Path)),
    responses((status = 200, body = RejectedRecordView)),
    extensions(("x-errors" = json!({
        "400": ["invalid_record", "too_old", "in_the_future", "too_many_calls", "duplicate_call_id"],
        "409": ["already_replayed", "payload_not_kept"]
    }))),
    security(("api_key" = ["rejected_records:write"]))
)]
async fn replay(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Path(id): Path<RejectedRecordId>,
) -> ApiResult<Tagged<RejectedRecordView>> {
    let row = ingest.replay_rejected(&scope, id).await?;
    Ok(Tagged::new(row.updated_at, RejectedRecordView::whole(row)))
}

/// Deletes a rejected record.
#[utoipa::path(
    delete, path = "/api/v1/rejected_records/{id}", tag = "rejected_records",
    operation_id = "rejected_records_delete",
    params(("id" = RejectedRecordId, Path)),
    responses((status = 204)),
    security(("api_key" = ["rejected_records:write"]))
)]
async fn delete(
    State(ingest): State<Ingest>,
    Caller(scope): Caller,
    Path(id): Path<RejectedRecordId>,
) -> ApiResult<StatusCode> {
    ingest.delete_rejected(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
