//! The routes of error records.

use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_db::{Db, Find, Tx};
use loam_http::surface::{ApiResult, Caller, Path, Query};
use loam_kernel::{
    Error, ErrorGroupId, ErrorLogId, Order, Page, PageQuery, ProjectId, Result, Scope, first_id_at, from_hex,
};
use sea_orm::sea_query::{Expr, ExprTrait, Query as Select};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::entity::{Column, Entity, Model};
use super::fingerprint::group_id;
use super::group;
use crate::operators;

/// An error record.
#[derive(Serialize, ToSchema)]
pub struct ErrorLogView {
    id: ErrorLogId,
    /// The error code of the response, the component that failed, or the type of an exception.
    error_type: String,
    error_message: String,
    /// The causes, nearest first, one per line. Causes of internal failures are visible only to operators.
    stack_trace: Option<String>,
    /// The `x-request-id` of the request that failed.
    request_id: Option<String>,
    /// Context: method, path, job, ….
    context: Value,
    /// Fingerprint, equal for similar errors.
    fingerprint: String,
    /// `instance`: an error of Loam; `application`: reported by an application.
    #[schema(value_type = String, example = "application")]
    source: String,
    /// Project ID of the application that reported it.
    project_id: Option<ProjectId>,
    /// The trace in which it happened.
    trace_id: Option<String>,
    /// The performance record of the request in which it happened.
    record_id: Option<Uuid>,
    /// The endpoint in which it happened.
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

/// A group of similar errors.
#[derive(Serialize, ToSchema)]
pub struct ErrorGroupView {
    id: ErrorGroupId,
    fingerprint: String,
    error_type: String,
    /// Message of the last error.
    error_message: String,
    /// Number of errors, including deleted ones.
    count: i64,
    /// The last error.
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

/// Filters for error records.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ErrorLogFilter {
    /// Only errors of this type.
    error_type: Option<String>,
    /// Only errors with this fingerprint.
    fingerprint: Option<String>,
    /// Only errors of this request.
    request_id: Option<String>,
    /// Only errors of this trace.
    trace_id: Option<String>,
    /// Only errors of this endpoint of an application.
    endpoint: Option<String>,
    /// Only errors of this project.
    project_id: Option<ProjectId>,
    /// Only errors of this performance record.
    record_id: Option<Uuid>,
    /// Only errors at this time or later.
    created_after: Option<DateTime<Utc>>,
    /// Only errors before this time.
    created_before: Option<DateTime<Utc>>,
}

impl ErrorLogFilter {
    fn apply<'tx>(self, mut find: Find<'tx, Entity>) -> Find<'tx, Entity> {
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

/// Filters for groups of errors.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ErrorGroupFilter {
    /// Only groups of which this project has reported an error that is still stored. Their counts are the tenant's.
    project_id: Option<ProjectId>,
}

/// The owner of the errors.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TenantSelector {
    /// True for the instance's own errors instead of the tenant's; for operators only.
    #[serde(default)]
    instance: bool,
}

#[derive(Clone)]
struct Handle {
    db: Db,
}

/// The last seen first. A group that moves up between pages may appear twice.
async fn groups_page<R>(
    tx: &Tx<R>,
    filter: &ErrorGroupFilter,
    page: &PageQuery,
) -> Result<Page<group::Model>> {
    let mut find = tx.find::<group::Entity>();
    if let Some(project) = filter.project_id {
        let group = |column: group::Column| Expr::col((group::Entity, column));
        let error = |column: Column| Expr::col((Entity, column));
        let of_project = Select::select()
            .expr(Expr::val(1))
            .from(Entity)
            .and_where(error(Column::TenantId).eq(group(group::Column::TenantId)))
            .and_where(error(Column::ProjectId).eq(project.0))
            .and_where(error(Column::Fingerprint).eq(group(group::Column::Fingerprint)))
            .to_owned();
        find = find.filter(Expr::exists(of_project));
    }
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
            filter.apply(tx.find()).page(page, |row| row.id.0).await
        } else {
            let tx = self.db.read(scope).await?;
            filter.apply(tx.find()).page(page, |row| row.id.0).await
        }
    }

    async fn get(&self, scope: &Scope, instance: bool, id: ErrorLogId) -> Result<Model> {
        let row = if instance {
            self.db.system_read(&operators::instance(scope)?).await?.get::<Entity>(id).await?
        } else {
            self.db.read(scope).await?.get::<Entity>(id).await?
        };
        row.ok_or_else(|| Error::not_found("error record"))
    }

    async fn groups(
        &self,
        scope: &Scope,
        instance: bool,
        filter: &ErrorGroupFilter,
        page: &PageQuery,
    ) -> Result<Page<group::Model>> {
        if instance {
            groups_page(&self.db.system_read(&operators::instance(scope)?).await?, filter, page).await
        } else {
            groups_page(&self.db.read(scope).await?, filter, page).await
        }
    }

    async fn group(&self, scope: &Scope, instance: bool, fingerprint: &str) -> Result<group::Model> {
        let missing = || Error::not_found("error group");
        let bytes = from_hex(fingerprint).and_then(|bytes| bytes.try_into().ok()).ok_or_else(missing)?;
        let id = ErrorGroupId(group_id(bytes));
        let row = if instance {
            self.db.system_read(&operators::instance(scope)?).await?.get::<group::Entity>(id).await?
        } else {
            self.db.read(scope).await?.get::<group::Entity>(id).await?
        };
        row.ok_or_else(missing)
    }
}

/// The routes.
pub fn router(db: Db) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(list_groups))
        .routes(routes!(get_group))
        .with_state(Handle { db })
}

/// Lists error records, newest first.
///
/// They are responses of 500 and above, background failures, and errors that applications reported.
#[utoipa::path(
    get, path = "/api/v1/error_logs", tag = "error_logs", operation_id = "error_logs_list",
    params(ErrorLogFilter, TenantSelector, PageQuery),
    responses((status = 200, body = Page<ErrorLogView>)),
    security(("api_key" = ["error_logs:read"]))
)]
async fn list(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Query(filter): Query<ErrorLogFilter>,
    Query(selector): Query<TenantSelector>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<ErrorLogView>>> {
    Ok(axum::Json(handle.list(&scope, selector.instance, filter, &page).await?.map(ErrorLogView::from)))
}

/// One error record.
#[utoipa::path(
    get, path = "/api/v1/error_logs/{id}", tag = "error_logs", operation_id = "error_logs_get",
    params(("id" = ErrorLogId, Path), TenantSelector),
    responses((status = 200, body = ErrorLogView)),
    security(("api_key" = ["error_logs:read"]))
)]
async fn get(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Path(id): Path<ErrorLogId>,
    Query(selector): Query<TenantSelector>,
) -> ApiResult<axum::Json<ErrorLogView>> {
    Ok(axum::Json(handle.get(&scope, selector.instance, id).await?.into()))
}

/// Lists groups of similar errors with their counts, the last seen first.
#[utoipa::path(
    get, path = "/api/v1/error_groups", tag = "error_logs", operation_id = "error_groups_list",
    params(ErrorGroupFilter, TenantSelector, PageQuery),
    responses((status = 200, body = Page<ErrorGroupView>)),
    security(("api_key" = ["error_logs:read"]))
)]
async fn list_groups(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Query(filter): Query<ErrorGroupFilter>,
    Query(selector): Query<TenantSelector>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<ErrorGroupView>>> {
    let page = handle.groups(&scope, selector.instance, &filter, &page).await?;
    Ok(axum::Json(page.map(ErrorGroupView::from)))
}

/// One group of similar errors.
#[utoipa::path(
    get, path = "/api/v1/error_groups/{fingerprint}", tag = "error_logs", operation_id = "error_groups_get",
    params(("fingerprint" = String, Path, description = "The fingerprint of its errors."), TenantSelector),
    responses((status = 200, body = ErrorGroupView)),
    security(("api_key" = ["error_logs:read"]))
)]
async fn get_group(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Path(fingerprint): Path<String>,
    Query(selector): Query<TenantSelector>,
) -> ApiResult<axum::Json<ErrorGroupView>> {
    Ok(axum::Json(handle.group(&scope, selector.instance, &fingerprint).await?.into()))
}
