//! The routes of request records.

use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_db::{Db, Find};
use loam_http::surface::{ApiResult, Caller, Path, Query};
use loam_kernel::{
    ApiKeyId, ApiLogId, Error, JsonValue, Page, PageQuery, ProjectId, Result, Scope, UserId, first_id_at,
};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, IdenStatic, IntoSimpleExpr, Iterable, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Column, Entity, Model};
use crate::operators;
use crate::pack::unpack_json;

/// A request record. Lists omit headers and bodies.
#[derive(Serialize, ToSchema)]
pub struct ApiLogView {
    id: ApiLogId,
    /// The `x-request-id` of the request.
    request_id: String,
    method: String,
    path: String,
    /// Query parameters, without secrets.
    query_params: Option<Value>,
    /// Headers, without secrets; omitted in lists, and for model calls that are not sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JsonValue>, nullable = false)]
    headers: Option<Value>,
    /// JSON body without secrets; omitted in lists, and if bodies are not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JsonValue>, nullable = false)]
    body: Option<Value>,
    /// JSON body of the response, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JsonValue>, nullable = false)]
    response_body: Option<Value>,
    status_code: i32,
    /// Bytes of the response body that were sent.
    response_bytes: i64,
    /// Milliseconds from the request to the end of the response.
    latency_ms: f64,
    /// The session that the client named.
    session_id: Option<String>,
    user_id: Option<UserId>,
    api_key_id: Option<ApiKeyId>,
    project_id: Option<ProjectId>,
    user_agent: Option<String>,
    ip_address: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<Model> for ApiLogView {
    fn from(row: Model) -> Self {
        let body = |packed: Option<Vec<u8>>| {
            packed.map(|packed| unpack_json(&packed)).filter(|body| !body.is_null())
        };
        #[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
        let latency_ms = row.latency_us as f64 / 1000.0;
        Self {
            id: row.id,
            request_id: row.request_id,
            method: row.method,
            path: row.path,
            query_params: row.query_params,
            headers: row.headers,
            body: body(row.body),
            response_body: body(row.response_body),
            status_code: row.status_code,
            response_bytes: row.response_bytes,
            latency_ms,
            session_id: row.session_id,
            user_id: row.user_id,
            api_key_id: row.api_key_id,
            project_id: row.project_id,
            user_agent: row.user_agent,
            ip_address: row.ip_address,
            created_at: row.created_at,
        }
    }
}

/// Filters for request records.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApiLogFilter {
    /// Only requests with this status.
    status_code: Option<i32>,
    /// Only requests with this status or above: 400 for failures.
    min_status_code: Option<i32>,
    /// Only requests with this method.
    method: Option<String>,
    /// Only paths with this prefix.
    path_prefix: Option<String>,
    /// Only the request with this `x-request-id`.
    request_id: Option<String>,
    /// Only requests about this session: with its id in the path or in `x-loam-session-id`.
    session_id: Option<String>,
    /// Only requests of this user.
    user_id: Option<UserId>,
    /// Only requests with this key.
    api_key_id: Option<ApiKeyId>,
    /// Only requests of this project.
    project_id: Option<ProjectId>,
    /// Only requests at this time or later.
    created_after: Option<DateTime<Utc>>,
    /// Only requests before this time.
    created_before: Option<DateTime<Utc>>,
}

/// The owner of the records.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TenantSelector {
    /// True for requests of no tenant, such as those without a valid key, instead of the tenant's; for operators only.
    #[serde(default)]
    pub(crate) instance: bool,
}

impl ApiLogFilter {
    fn apply<'tx>(self, mut find: Find<'tx, Entity>) -> Find<'tx, Entity> {
        if let Some(status) = self.status_code {
            find = find.filter(Column::StatusCode.eq(status));
        }
        if let Some(status) = self.min_status_code {
            find = find.filter(Column::StatusCode.gte(status));
        }
        for (column, value) in [
            (Column::Method, self.method.map(|method| method.to_uppercase())),
            (Column::RequestId, self.request_id),
            (Column::SessionId, self.session_id),
        ] {
            if let Some(value) = value {
                find = find.filter(column.eq(value));
            }
        }
        if let Some(prefix) = self.path_prefix {
            // not LIKE, which has wildcards and whose case sensitivity differs between the databases
            let length = i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX);
            let begin = Func::cust("substr").args([Column::Path.into_simple_expr(), 1.into(), length.into()]);
            find = find.filter(Expr::expr(begin).eq(prefix));
        }
        if let Some(user) = self.user_id {
            find = find.filter(Column::UserId.eq(user));
        }
        if let Some(key) = self.api_key_id {
            find = find.filter(Column::ApiKeyId.eq(key));
        }
        if let Some(project) = self.project_id {
            find = find.filter(Column::ProjectId.eq(project));
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

/// Omits the columns that lists don't show.
fn without_bodies(find: Find<'_, Entity>) -> Find<'_, Entity> {
    let mut find = find.select_only();
    for column in Column::iter() {
        find = match column {
            Column::Body | Column::ResponseBody => {
                find.column_as(Expr::val(Option::<Vec<u8>>::None), column.as_str())
            }
            Column::Headers => find.column_as(Expr::val(Option::<Value>::None), column.as_str()),
            _ => find.column_as(column.into_simple_expr(), column.as_str()),
        };
    }
    find
}

#[derive(Clone)]
struct Handle {
    db: Db,
}

impl Handle {
    async fn list(
        &self,
        scope: &Scope,
        selector: TenantSelector,
        filter: ApiLogFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        if selector.instance {
            let tx = self.db.system_read(&operators::instance(scope)?).await?;
            without_bodies(filter.apply(tx.find())).page(page, |row| row.id.0).await
        } else {
            let tx = self.db.read(scope).await?;
            without_bodies(filter.apply(tx.find())).page(page, |row| row.id.0).await
        }
    }

    async fn get(&self, scope: &Scope, selector: TenantSelector, id: ApiLogId) -> Result<Model> {
        let row = if selector.instance {
            self.db.system_read(&operators::instance(scope)?).await?.get::<Entity>(id).await?
        } else {
            self.db.read(scope).await?.get::<Entity>(id).await?
        };
        row.ok_or_else(|| Error::not_found("request record"))
    }
}

/// The routes.
pub fn router(db: Db) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).with_state(Handle { db })
}

/// Lists request records, newest first, within a second of their end. The configuration key `records.api_logs` sets which
/// requests are recorded.
#[utoipa::path(
    get, path = "/api/v1/api_logs", tag = "api_logs", operation_id = "api_logs_list",
    params(ApiLogFilter, TenantSelector, PageQuery),
    responses((status = 200, body = Page<ApiLogView>)),
    security(("api_key" = ["api_logs:read"]))
)]
async fn list(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Query(filter): Query<ApiLogFilter>,
    Query(selector): Query<TenantSelector>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<ApiLogView>>> {
    Ok(axum::Json(handle.list(&scope, selector, filter, &page).await?.map(ApiLogView::from)))
}

/// One request record, with its headers, and its bodies if they are kept.
#[utoipa::path(
    get, path = "/api/v1/api_logs/{id}", tag = "api_logs", operation_id = "api_logs_get",
    params(("id" = ApiLogId, Path), TenantSelector),
    responses((status = 200, body = ApiLogView)),
    security(("api_key" = ["api_logs:read"]))
)]
async fn get(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Path(id): Path<ApiLogId>,
    Query(selector): Query<TenantSelector>,
) -> ApiResult<axum::Json<ApiLogView>> {
    Ok(axum::Json(handle.get(&scope, selector, id).await?.into()))
}
