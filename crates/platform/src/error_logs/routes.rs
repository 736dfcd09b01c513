//! Reading errors on record.

use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_db::{Db, Find, Tx};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Path, Query};
use loam_kernel::{
    Error, ErrorGroupId, ErrorLogId, Order, Page, PageQuery, ProjectId, Result, Scope, first_id_at,
};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::entity::{Column, Entity, Model};
use super::group;
use crate::operators;

/// An error on record.
#[derive(Serialize, ToSchema)]
pub struct ErrorLogView {
    id: ErrorLogId,
    /// The code of the answer, or the part of Loam that failed.
    error_type: String,
    error_message: String,
    /// The causes, the nearest first, a line each. Why Loam itself failed is shown to operators alone.
    stack_trace: Option<String>,
    /// The `x-request-id` of the request that failed.
    request_id: Option<String>,
    /// What else is known: method, path, job, ….
    context: Value,
    /// The same for errors that are alike.
    fingerprint: String,
    /// `instance`: Loam's own; `application`: what an application told.
    #[schema(value_type = String, example = "application")]
    source: String,
    /// The application that told it.
    project_id: Option<ProjectId>,
    /// The trace in which it happened.
    trace_id: Option<String>,
    /// The performance record of the request in which it happened.
    record_id: Option<Uuid>,
    /// What was served when it happened.
    endpoint: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<Model> for ErrorLogView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            error_type: row.error_type,
            error_message: row.error_message,
            stack_trace: row.stack_trace,
            request_id: row.request_id,
            context: row.context,
            fingerprint: row.fingerprint,
            source: row.source.unwrap_or_else(|| "instance".to_owned()),
            project_id: row.project_id,
            trace_id: row.trace_id,
            record_id: row.record_id,
            endpoint: row.endpoint,
            created_at: row.created_at,
        }
    }
}

/// Errors that are alike.
#[derive(Serialize, ToSchema)]
pub struct ErrorGroupView {
    id: ErrorGroupId,
    fingerprint: String,
    error_type: String,
    /// What the last one said.
    error_message: String,
    /// How many there were, deleted ones included.
    count: i64,
    /// The last one.
    last_error_id: ErrorLogId,
    first_seen: DateTime<Utc>,
    last_seen: DateTime<Utc>,
}

impl From<group::Model> for ErrorGroupView {
    fn from(row: group::Model) -> Self {
        Self {
            id: row.id,
            fingerprint: row.fingerprint,
            error_type: row.error_type,
            error_message: row.error_message,
            count: row.count,
            last_error_id: row.last_error_id,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
        }
    }
}

/// Which errors to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ErrorLogFilter {
    /// Only this type.
    error_type: Option<String>,
    /// Only errors that are alike.
    fingerprint: Option<String>,
    /// Only those of this request.
    request_id: Option<String>,
    /// Only those of this trace.
    trace_id: Option<String>,
    /// Only those of this endpoint of an application.
    endpoint: Option<String>,
    /// Only those of this application.
    project_id: Option<ProjectId>,
    /// Only those of this performance record.
    record_id: Option<Uuid>,
    /// Only errors from then on.
    created_after: Option<DateTime<Utc>>,
    /// Only errors before then.
    created_before: Option<DateTime<Utc>>,
}

impl ErrorLogFilter {
    fn narrow<'tx>(self, mut find: Find<'tx, Entity>) -> Find<'tx, Entity> {
        for (column, value) in [
            (Column::ErrorType, self.error_type),
            (Column::Fingerprint, self.fingerprint),
            (Column::RequestId, self.request_id),
            (Column::TraceId, self.trace_id),
            (Column::Endpoint, self.endpoint),
        ] {
            if let Some(value) = value {
                find = find.filter(column.eq(value));
            }
        }
        for (column, id) in
            [(Column::ProjectId, self.project_id.map(|id| id.0)), (Column::RecordId, self.record_id)]
        {
            if let Some(id) = id {
                find = find.filter(column.eq(id));
            }
        }
        if let Some(after) = self.created_after {
            find = find.filter(Column::Id.gte(first_id_at(after)));
        }
        if let Some(before) = self.created_before {
            find = find.filter(Column::Id.lt(first_id_at(before)));
        }
        find
    }
}

/// Whose errors are meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhoseErrors {
    /// True for the instance's own errors instead of the tenant's: for operators alone.
    #[serde(default)]
    instance: bool,
}

#[derive(Clone)]
struct Handle {
    db: Db,
}

/// The newest first. A group that has moved up meanwhile may be seen again.
async fn groups_page<R>(tx: &Tx<R>, page: &PageQuery) -> Result<Page<group::Model>> {
    let find = tx.find::<group::Entity>();
    find.page_by(page, Order::Desc, group::Column::LastSeen, |row| (row.last_seen, row.id.0)).await
}

impl Handle {
    async fn list(
        &self,
        scope: &Scope,
        instance: bool,
        filter: ErrorLogFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        if instance {
            let tx = self.db.system_read(&operators::instance(scope)?).await?;
            filter.narrow(tx.find()).page(page, |row| row.id.0).await
        } else {
            let tx = self.db.read(scope).await?;
            filter.narrow(tx.find()).page(page, |row| row.id.0).await
        }
    }

    async fn get(&self, scope: &Scope, instance: bool, id: ErrorLogId) -> Result<Model> {
        let row = if instance {
            self.db.system_read(&operators::instance(scope)?).await?.get::<Entity>(id).await?
        } else {
            self.db.read(scope).await?.get::<Entity>(id).await?
        };
        row.ok_or_else(|| Error::not_found("error on record"))
    }

    async fn groups(&self, scope: &Scope, instance: bool, page: &PageQuery) -> Result<Page<group::Model>> {
        if instance {
            groups_page(&self.db.system_read(&operators::instance(scope)?).await?, page).await
        } else {
            groups_page(&self.db.read(scope).await?, page).await
        }
    }
}

/// The routes.
pub fn router(db: Db) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(list_groups))
        .with_state(Handle { db })
}

/// Errors on record, newest first: answers of 500 and above, failures in the background, and what applications told of
/// their own.
#[utoipa::path(
    get, path = "/api/v1/error_logs", tag = "error_logs", operation_id = "error_logs_list",
    params(ErrorLogFilter, WhoseErrors, PageQuery),
    responses((status = 200, body = Page<ErrorLogView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["error_logs:read"]))
)]
async fn list(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Query(filter): Query<ErrorLogFilter>,
    Query(whose): Query<WhoseErrors>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<ErrorLogView>>> {
    Ok(axum::Json(handle.list(&scope, whose.instance, filter, &page).await?.map(ErrorLogView::from)))
}

/// One error on record.
#[utoipa::path(
    get, path = "/api/v1/error_logs/{id}", tag = "error_logs", operation_id = "error_logs_get",
    params(("id" = ErrorLogId, Path), WhoseErrors),
    responses((status = 200, body = ErrorLogView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["error_logs:read"]))
)]
async fn get(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Path(id): Path<ErrorLogId>,
    Query(whose): Query<WhoseErrors>,
) -> ApiResult<axum::Json<ErrorLogView>> {
    Ok(axum::Json(handle.get(&scope, whose.instance, id).await?.into()))
}

/// Errors that are alike, counted; the last seen first.
#[utoipa::path(
    get, path = "/api/v1/error_groups", tag = "error_logs", operation_id = "error_groups_list",
    params(WhoseErrors, PageQuery),
    responses((status = 200, body = Page<ErrorGroupView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["error_logs:read"]))
)]
async fn list_groups(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Query(whose): Query<WhoseErrors>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<ErrorGroupView>>> {
    Ok(axum::Json(handle.groups(&scope, whose.instance, &page).await?.map(ErrorGroupView::from)))
}
