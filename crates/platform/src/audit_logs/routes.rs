//! Reading the trail.

use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_http::surface::{ApiResult, Caller, ErrorBody, Path, Query};
use loam_kernel::{AuditLogId, Error, Page, PageQuery};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Column, Entity, Model};

/// A change that somebody made.
#[derive(Serialize, ToSchema)]
pub struct AuditLogView {
    id: AuditLogId,
    /// Place in the tenant's chain, from 1, without a gap.
    sequence: i64,
    /// `create`, `update`, `delete`, `revoke`, ….
    action: String,
    /// What kind of thing was changed.
    resource_type: String,
    /// Which one.
    resource_id: String,
    /// `api_key:<id>`, `command_line` or `system:<part>`.
    actor: String,
    /// The fields with their new values; secrets never among them.
    changes: Value,
    request_id: Option<String>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    /// SHA-256 of the row before, in hexadecimal.
    previous_hash: String,
    /// SHA-256 over the previous hash and this row, in hexadecimal.
    hash: String,
    created_at: DateTime<Utc>,
}

impl From<Model> for AuditLogView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            sequence: row.sequence,
            action: row.action,
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            actor: row.actor,
            changes: row.changes,
            request_id: row.request_id,
            ip_address: row.ip_address,
            user_agent: row.user_agent,
            previous_hash: hex(&row.previous_hash),
            hash: hex(&row.hash),
            created_at: row.created_at,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which changes to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditLogFilter {
    /// Only changes of this kind of thing.
    resource_type: Option<String>,
    /// Only changes of this one.
    resource_id: Option<String>,
    /// Only this action.
    action: Option<String>,
}

/// The routes.
pub fn router(db: Db) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).with_state(db)
}

/// Changes, newest first.
#[utoipa::path(
    get, path = "/api/v1/audit_logs", tag = "audit_logs", operation_id = "audit_logs_list",
    params(AuditLogFilter, PageQuery),
    responses((status = 200, body = Page<AuditLogView>), (status = "4XX", body = ErrorBody)),
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
    ] {
        if let Some(value) = value {
            find = find.filter(column.eq(value));
        }
    }
    let page = find.page(&page, |row| row.id.0).await?;
    Ok(axum::Json(page.map(AuditLogView::from)))
}

/// One change.
#[utoipa::path(
    get, path = "/api/v1/audit_logs/{id}", tag = "audit_logs", operation_id = "audit_logs_get",
    params(("id" = AuditLogId, Path)),
    responses((status = 200, body = AuditLogView), (status = "4XX", body = ErrorBody)),
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
