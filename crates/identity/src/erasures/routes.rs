//! The routes of erasures.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Json, Path, Query};
use loam_kernel::{ErasureId, Page, PageQuery};
use loam_platform::personal::Removed;
use loam_platform::personal::erasure::{ErasureState, Model, SubjectType};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::receipt::ErasureReceipt;
use super::service::{ErasureCreate, ErasureFilter};
use crate::Identity;

/// An erasure.
#[derive(Serialize, ToSchema)]
pub struct ErasureView {
    id: ErasureId,
    subject_type: SubjectType,
    /// Its id; null for an end user, who is identified only by the digest.
    subject_id: Option<String>,
    /// SHA-256 over the erasure's id, a zero byte and the subject's id, for those who know the id.
    subject_digest: String,
    state: ErasureState,
    /// Rows removed so far, by location.
    #[schema(value_type = BTreeMap<String, Removed>)]
    removed: Value,
    /// Who requested it.
    actor: String,
    created_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
}

impl From<Model> for ErasureView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            subject_type: row.subject_type,
            // a response may be recorded
            subject_id: row.subject_id.filter(|_| row.subject_type != SubjectType::EndUser),
            subject_digest: row.subject_digest,
            state: row.state,
            removed: row.removed,
            actor: row.actor,
            created_at: row.created_at,
            completed_at: row.completed_at,
        }
    }
}

pub(crate) fn router(identity: Identity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get))
        .routes(routes!(receipt))
        .with_state(identity)
}

/// Lists erasures, newest first; without `erasures:all` only your own.
#[utoipa::path(
    get, path = "/api/v1/erasures", tag = "erasures", operation_id = "erasures_list",
    params(ErasureFilter, PageQuery),
    responses((status = 200, body = Page<ErasureView>)),
    security(("api_key" = ["erasures:read"]))
)]
async fn list(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Query(filter): Query<ErasureFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<ErasureView>>> {
    Ok(Answer(identity.list_erasures(&scope, filter, &page).await?.map(ErasureView::from)))
}

/// Erases a user, an end user of your application, a conversation, or (operators only) a tenant. A durable job deletes
/// their content and records from every table, the journal and the caches. The user's access ends before this returns.
/// Usage totals remain, without the person. This can't be undone.
#[utoipa::path(
    post, path = "/api/v1/erasures", tag = "erasures", operation_id = "erasures_create",
    request_body = ErasureCreate,
    responses((status = 202, body = ErasureView)),
    extensions(("x-errors" = json!({"409": ["erasure_running", "tenant_not_archived", "last_owner"]}))),
    security(("api_key" = ["erasures:write"]))
)]
async fn create(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Json(new): Json<ErasureCreate>,
) -> ApiResult<(StatusCode, Answer<ErasureView>)> {
    let erasure = identity.create_erasure(&scope, new).await?;
    Ok((StatusCode::ACCEPTED, Answer(erasure.into())))
}

/// Returns an erasure.
#[utoipa::path(
    get, path = "/api/v1/erasures/{id}", tag = "erasures", operation_id = "erasures_get",
    params(("id" = ErasureId, Path)),
    responses((status = 200, body = ErasureView)),
    security(("api_key" = ["erasures:read"]))
)]
async fn get(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<ErasureId>,
) -> ApiResult<Answer<ErasureView>> {
    Ok(Answer(identity.get_erasure(&scope, id).await?.into()))
}

/// Returns the receipt of a completed erasure.
///
/// It reports what was removed where, how many rows, what remains and why, and is signed with the instance's key. It
/// names no person.
#[utoipa::path(
    get, path = "/api/v1/erasures/{id}/receipt", tag = "erasures", operation_id = "erasures_receipt",
    params(("id" = ErasureId, Path)),
    responses((status = 200, body = ErasureReceipt)),
    security(("api_key" = ["erasures:read"]))
)]
async fn receipt(
    State(identity): State<Identity>,
    Caller(scope): Caller,
    Path(id): Path<ErasureId>,
) -> ApiResult<Answer<ErasureReceipt>> {
    Ok(Answer(identity.erasure_receipt(&scope, id).await?))
}
