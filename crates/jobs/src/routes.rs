//! The routes of jobs.

use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Path, Query, Tagged};
use loam_kernel::{JobId, JsonValue, NodeId, Page, PageQuery};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::entity::Model;
use crate::service::{InstanceQuery, JobFilter, Jobs};
use crate::state::JobState;

/// A background job.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    id: JobId,
    /// Kind, which selects the handler.
    kind: String,
    /// State.
    state: JobState,
    /// Input of the job.
    #[schema(value_type = JsonValue)]
    payload: serde_json::Value,
    /// Number of attempts started, including the current one.
    attempts: i32,
    /// Maximum number of attempts.
    max_attempts: i32,
    /// Earliest time to run.
    run_at: DateTime<Utc>,
    /// While running: when the lease of its node expires, unless renewed.
    lease_until: Option<DateTime<Utc>>,
    /// Node that holds the lease.
    lease_owner: Option<NodeId>,
    /// Error of the last failed attempt.
    last_error: Option<String>,
    /// Prevents duplicates: a second job of this kind with this key is not enqueued.
    unique_key: Option<String>,
    /// When it succeeded, failed or was cancelled.
    finished_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for JobView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            payload: row.payload,
            attempts: row.attempts,
            max_attempts: row.max_attempts,
            run_at: row.run_at,
            lease_until: row.lease_until,
            lease_owner: row.lease_owner,
            last_error: row.last_error,
            unique_key: row.unique_key,
            finished_at: row.finished_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Jobs {
    /// The routes.
    pub fn router(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .routes(routes!(list))
            .routes(routes!(get))
            .routes(routes!(retry))
            .routes(routes!(cancel))
            .with_state(self.clone())
    }
}

fn tagged(row: Model) -> Tagged<JobView> {
    Tagged::new(row.updated_at, row.into())
}

/// Lists jobs, newest first.
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = "jobs", operation_id = "jobs_list",
    params(JobFilter, InstanceQuery, PageQuery),
    responses((status = 200, body = Page<JobView>)),
    security(("api_key" = ["jobs:read"]))
)]
async fn list(
    State(jobs): State<Jobs>,
    Caller(scope): Caller,
    Query(filter): Query<JobFilter>,
    Query(target): Query<InstanceQuery>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<JobView>>> {
    let page = jobs.list(&scope, target, &filter, &page).await?;
    Ok(axum::Json(page.map(JobView::from)))
}

/// Returns a job.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}", tag = "jobs", operation_id = "jobs_get",
    params(("id" = JobId, Path), InstanceQuery),
    responses((status = 200, body = JobView)),
    security(("api_key" = ["jobs:read"]))
)]
async fn get(
    State(jobs): State<Jobs>,
    Caller(scope): Caller,
    Path(id): Path<JobId>,
    Query(target): Query<InstanceQuery>,
) -> ApiResult<Tagged<JobView>> {
    Ok(tagged(jobs.get(&scope, target, id).await?))
}

/// Returns a failed or cancelled job to the queue and resets its attempts.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/retry", tag = "jobs", operation_id = "jobs_retry",
    params(("id" = JobId, Path), InstanceQuery),
    responses((status = 200, body = JobView)),
    extensions(("x-errors" = json!({"409": ["wrong_state", "job_stopping"]}))),
    security(("api_key" = ["jobs:write"]))
)]
async fn retry(
    State(jobs): State<Jobs>,
    Caller(scope): Caller,
    Path(id): Path<JobId>,
    Query(target): Query<InstanceQuery>,
) -> ApiResult<Tagged<JobView>> {
    Ok(tagged(jobs.retry(&scope, target, id).await?))
}

/// Cancels a job. A queued job never runs; a running one is signalled to stop within seconds.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/cancel", tag = "jobs", operation_id = "jobs_cancel",
    params(("id" = JobId, Path), InstanceQuery),
    responses((status = 200, body = JobView)),
    extensions(("x-errors" = json!({"409": ["wrong_state", "job_stopping"]}))),
    security(("api_key" = ["jobs:write"]))
)]
async fn cancel(
    State(jobs): State<Jobs>,
    Caller(scope): Caller,
    Path(id): Path<JobId>,
    Query(target): Query<InstanceQuery>,
) -> ApiResult<Tagged<JobView>> {
    Ok(tagged(jobs.cancel(&scope, target, id).await?))
}
