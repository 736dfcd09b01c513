//! The routes of the quarantine.

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_http::surface::{ApiResult, Caller, Path, Query};
use loam_kernel::{Error, NodeId, Page, PageQuery, QuarantineId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Entity, Model};

/// A frame that the database rejected.
#[derive(Serialize, ToSchema)]
pub struct QuarantineView {
    id: QuarantineId,
    /// The node whose journal it comes from.
    node_id: NodeId,
    /// Its position in that journal.
    position: i64,
    /// 1: a call's intent, 2: its settlement.
    kind: i32,
    /// The error message of the database.
    reason: String,
    /// The frame as it was written, in Base64.
    frame: String,
    created_at: DateTime<Utc>,
}

impl From<Model> for QuarantineView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            node_id: row.node_id,
            position: row.position,
            kind: row.kind,
            reason: row.reason,
            frame: STANDARD.encode(row.frame),
            created_at: row.created_at,
        }
    }
}

/// The routes.
pub fn router(db: Db) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).with_state(db)
}

/// Lists the frames in quarantine, newest first.
#[utoipa::path(
    get, path = "/api/v1/journal_quarantine", tag = "journal_quarantine", operation_id = "journal_quarantine_list",
    params(PageQuery),
    responses((status = 200, body = Page<QuarantineView>)),
    security(("api_key" = ["journal_quarantine:read"]))
)]
async fn list(
    State(db): State<Db>,
    Caller(scope): Caller,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<QuarantineView>>> {
    let page = db.read(&scope).await?.find::<Entity>().page(&page, |row| row.id.0).await?;
    Ok(axum::Json(page.map(QuarantineView::from)))
}

/// Returns a frame.
#[utoipa::path(
    get, path = "/api/v1/journal_quarantine/{id}", tag = "journal_quarantine", operation_id = "journal_quarantine_get",
    params(("id" = QuarantineId, Path)),
    responses((status = 200, body = QuarantineView)),
    security(("api_key" = ["journal_quarantine:read"]))
)]
async fn get(
    State(db): State<Db>,
    Caller(scope): Caller,
    Path(id): Path<QuarantineId>,
) -> ApiResult<axum::Json<QuarantineView>> {
    let row = db
        .read(&scope)
        .await?
        .get::<Entity>(id)
        .await?
        .ok_or_else(|| Error::not_found("frame in quarantine"))?;
    Ok(axum::Json(row.into()))
}
