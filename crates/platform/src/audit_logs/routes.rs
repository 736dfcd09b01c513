//! The routes of the audit trail.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_http::surface::{ApiResult, Caller, Path, Query};
use loam_kernel::{AuditLogId, Error, Page, PageQuery, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Column, Entity};
use super::verify::{Audit, Expected, Verification};
pub use super::view::AuditLogView;

/// Maximum time of a verification before it returns where to continue.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Filters for changes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditLogFilter {
    /// Only changes of this type of resource.
    resource_type: Option<String>,
    /// Only changes of this resource.
    resource_id: Option<String>,
    /// Only changes with this action.
    action: Option<String>,
    /// Only changes by this actor, as shown: `user:…`, `api_key:…`, `command_line`.
    actor: Option<String>,
    /// Only changes at this time or later.
    created_after: Option<DateTime<Utc>>,
    /// Only changes before this time.
    created_before: Option<DateTime<Utc>>,
}

/// Options of a verification.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VerifyQuery {
    /// Start after this sequence number, whose row is trusted: `verified_to` of an incomplete verification.
    from_sequence: Option<i64>,
    /// A previously noted head, as `sequence:hash`, which must still be in the chain; without `from_sequence` also its hash
    /// alone.
    expect_head: Option<String>,
}

/// The routes.
pub fn router(db: Db) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(verify))
        .routes(routes!(export))
        .with_state(db)
}

/// Lists changes, newest first.
#[utoipa::path(
    get, path = "/api/v1/audit_logs", tag = "audit_logs", operation_id = "audit_logs_list",
    params(AuditLogFilter, PageQuery),
    responses((status = 200, body = Page<AuditLogView>)),
    security(("api_key" = ["audit_logs:read"]))
)]
async fn list(
    State(db): State<Db>,
    Caller(scope): Caller,
    Query(filter): Query<AuditLogFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<AuditLogView>>> {
    let tx = db.read(&scope).await?;
    let mut find = tx.find::<Entity>();
    for (column, value) in [
        (Column::ResourceType, filter.resource_type),
        (Column::ResourceId, filter.resource_id),
        (Column::Action, filter.action),
        (Column::Actor, filter.actor),
    ] {
        if let Some(value) = value {
            find = find.filter(column.eq(value));
        }
    }
    if let Some(after) = filter.created_after {
        find = find.filter(Column::Id.gte(first_id_at(after)));
    }
    if let Some(before) = filter.created_before {
        find = find.filter(Column::Id.lt(first_id_at(before)));
    }
    let page = find.page(&page, |row| row.id.0).await?;
    Ok(axum::Json(page.map(AuditLogView::from)))
}

/// Returns a change.
#[utoipa::path(
    get, path = "/api/v1/audit_logs/{id}", tag = "audit_logs", operation_id = "audit_logs_get",
    params(("id" = AuditLogId, Path)),
    responses((status = 200, body = AuditLogView)),
    security(("api_key" = ["audit_logs:read"]))
)]
async fn get(
    State(db): State<Db>,
    Caller(scope): Caller,
    Path(id): Path<AuditLogId>,
) -> ApiResult<axum::Json<AuditLogView>> {
    let row = db.read(&scope).await?.get::<Entity>(id).await?.ok_or_else(|| Error::not_found("audit log"))?;
    Ok(axum::Json(row.into()))
}

/// Verifies the tenant's chain.
///
/// Every row is compared with its hash, every hash with the next row, the last one with the head. A long chain is verified in parts: continue an incomplete verification from its `verified_to`.
#[utoipa::path(
    get, path = "/api/v1/audit_logs/verify", tag = "audit_logs", operation_id = "audit_logs_verify",
    params(VerifyQuery),
    responses((status = 200, body = Verification)),
    security(("api_key" = ["audit_logs:read"]))
)]
async fn verify(
    State(db): State<Db>,
    Caller(scope): Caller,
    Query(query): Query<VerifyQuery>,
) -> ApiResult<axum::Json<Verification>> {
    let expected = query.expect_head.as_deref().map(str::parse::<Expected>).transpose()?;
    let audit = Audit::new(db, scope);
    Ok(axum::Json(audit.verify(query.from_sequence.unwrap_or(0), expected, Some(TIMEOUT)).await?))
}

/// Exports the tenant's chain as JSON Lines, for `loam audit verify --file`. The last line contains the number of rows; an
/// export without it is incomplete.
#[utoipa::path(
    get, path = "/api/v1/audit_logs/export", tag = "audit_logs", operation_id = "audit_logs_export",
    responses((status = 200, body = String, content_type = "application/x-ndjson")),
    security(("api_key" = ["audit_logs:read"]))
)]
async fn export(State(db): State<Db>, Caller(scope): Caller) -> ApiResult<Response> {
    let lines = Audit::new(db, scope).export().await?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit_logs.jsonl\""),
    ];
    Ok((headers, Body::from_stream(lines.into_stream())).into_response())
}
