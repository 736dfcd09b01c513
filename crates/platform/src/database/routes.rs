//! The state of the database as a resource.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use loam_db::Db;
use loam_http::surface::{ApiResult, Caller};
use loam_journal::Journal;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::DatabaseStatus;
use crate::cache::{Cache, CacheSpec};
use crate::notices::Notices;
use crate::operators;

/// Sizes are expensive to query, and dashboards poll them.
const CACHE: CacheSpec =
    CacheSpec { name: "database_status", capacity: 1, ttl: Duration::from_secs(2), topics: &[] };

#[derive(Clone)]
struct Handle {
    db: Db,
    journal: Option<Journal>,
    read: Cache<(), DatabaseStatus>,
}

/// The routes.
pub fn router(db: Db, journal: Option<Journal>, notices: &Notices) -> OpenApiRouter {
    let read = Cache::new(CACHE, notices, |_| Some(()));
    OpenApiRouter::new().routes(routes!(get)).with_state(Handle { db, journal, read })
}

/// Returns the state of the database, at most two seconds old; for operators only.
#[utoipa::path(
    get, path = "/api/v1/database", tag = "instance", operation_id = "database_get",
    responses((status = 200, body = DatabaseStatus)),
    security(("api_key" = ["database:read"]))
)]
async fn get(State(handle): State<Handle>, Caller(scope): Caller) -> ApiResult<Json<DatabaseStatus>> {
    operators::require(&scope, None)?;
    let read = || DatabaseStatus::read(&handle.db, handle.journal.as_ref());
    Ok(Json(handle.read.get((), read).await?))
}
