//! Jobs over HTTP.

use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Path, Query, Tagged};
use loam_kernel::{JobId, NodeId, Page, PageQuery};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::entity::Model;
use crate::service::{JobFilter, Jobs, Whose};
use crate::state::JobState;

/// A piece of background work.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    id: JobId,
    /// Names what is done.
    kind: String,
    /// Where it stands.
    state: JobState,
    /// What is to be done.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
    /// Runs begun, the present one included.
    attempts: i32,
    /// Runs after which it is given up.
    max_attempts: i32,
    /// Not run before this time.
    run_at: DateTime<Utc>,
    /// While running: until when its node has it without a further sign of life.
    lease_until: Option<DateTime<Utc>>,
    /// The node that runs it.
    lease_owner: Option<NodeId>,
    /// Why the last run failed.
    last_error: Option<String>,
    /// A second job of this kind with this key is not enqueued.
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

/// Jobs, newest first.
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = "jobs", operation_id = "jobs_list",
    params(JobFilter, Whose, PageQuery),
    responses((status = 200, body = Page<JobView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["jobs:read"]))
)]
async fn list(
    State(jobs): State<Jobs>,
    Caller(scope): Caller,
    Query(filter): Query<JobFilter>,
    Query(whose): Query<Whose>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<JobView>>> {
    let page = jobs.list(&scope, whose, &filter, &page).await?;
    Ok(axum::Json(page.map(JobView::from)))
}

/// One job.
#[utoipa::path(
    get, path = "/api/v1/jobs/{id}", tag = "jobs", operation_id = "jobs_get",
    params(("id" = JobId, Path), Whose),
    responses((status = 200, body = JobView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["jobs:read"]))
)]
async fn get(
    State(jobs): State<Jobs>,
    Caller(scope): Caller,
    Path(id): Path<JobId>,
    Query(whose): Query<Whose>,
) -> ApiResult<Tagged<JobView>> {
    Ok(tagged(jobs.get(&scope, whose, id).await?))
}

/// Puts a job that failed or was cancelled back into the queue, with all its attempts before it.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/retry", tag = "jobs", operation_id = "jobs_retry",
    params(("id" = JobId, Path), Whose),
    responses(
        (status = 200, body = JobView),
        (status = 409, description = "it neither failed nor was cancelled, or its last run is still being stopped", body = ErrorBody),
        (status = "4XX", body = ErrorBody),
    ),
    security(("api_key" = ["jobs:write"]))
)]
async fn retry(
    State(jobs): State<Jobs>,
    Caller(scope): Caller,
    Path(id): Path<JobId>,
    Query(whose): Query<Whose>,
) -> ApiResult<Tagged<JobView>> {
    Ok(tagged(jobs.retry(&scope, whose, id).await?))
}

/// Calls a job off. One in the queue never runs; one that runs is told to stop within seconds.
#[utoipa::path(
    post, path = "/api/v1/jobs/{id}/cancel", tag = "jobs", operation_id = "jobs_cancel",
    params(("id" = JobId, Path), Whose),
    responses(
        (status = 200, body = JobView),
        (status = 409, description = "it has ended already", body = ErrorBody),
        (status = "4XX", body = ErrorBody),
    ),
    security(("api_key" = ["jobs:write"]))
)]
async fn cancel(
    State(jobs): State<Jobs>,
    Caller(scope): Caller,
    Path(id): Path<JobId>,
    Query(whose): Query<Whose>,
) -> ApiResult<Tagged<JobView>> {
    Ok(tagged(jobs.cancel(&scope, whose, id).await?))
}
