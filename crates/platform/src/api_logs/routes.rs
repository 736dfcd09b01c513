//! Reading requests on record.

use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_db::{Db, Find};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Path, Query};
use loam_kernel::{
    ApiKeyId, ApiLogId, Error, Page, PageQuery, ProjectId, Result, Scope, UserId, first_id_at,
};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, IdenStatic, IntoSimpleExpr, Iterable, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Column, Entity, Model};
use crate::operators;
use crate::pack::unpack;

/// A request on record. Lists leave out headers and bodies.
#[derive(Serialize, ToSchema)]
pub struct ApiLogView {
    id: ApiLogId,
    /// The `x-request-id` of the request.
    request_id: String,
    method: String,
    path: String,
    /// Query parameters, without secrets.
    query_params: Option<Value>,
    /// Headers, without secrets; only when one request is read, and none for model calls unless those are sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Value>,
    /// JSON body without secrets; only when one request is read, and bodies are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
    /// JSON body of the answer without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body: Option<Value>,
    status_code: i32,
    /// Bytes of the answer's body that were sent.
    response_bytes: i64,
    /// Milliseconds from the request to the end of the answer.
    latency_ms: f64,
    /// The conversation that the client named.
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
            let kept = unpack(&packed?)?;
            serde_json::from_slice(&kept.body).ok()
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

/// Which requests to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApiLogFilter {
    /// Only those answered with this status.
    status_code: Option<i32>,
    /// Only those answered with this status or above: 400 for what failed.
    min_status_code: Option<i32>,
    /// Only this method.
    method: Option<String>,
    /// Only paths that begin so.
    path_prefix: Option<String>,
    /// Only the request with this `x-request-id`.
    request_id: Option<String>,
    /// Only this user's.
    user_id: Option<UserId>,
    /// Only this key's.
    api_key_id: Option<ApiKeyId>,
    /// Only requests from then on.
    created_after: Option<DateTime<Utc>>,
    /// Only requests before then.
    created_before: Option<DateTime<Utc>>,
}

/// Whose records are meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Whose {
    /// True for those of nobody, such as requests without a valid key, instead of the tenant's: for operators alone.
    #[serde(default)]
    pub(crate) instance: bool,
}

impl ApiLogFilter {
    fn narrow<'tx>(self, mut find: Find<'tx, Entity>) -> Find<'tx, Entity> {
        if let Some(status) = self.status_code {
            find = find.filter(Column::StatusCode.eq(status));
        }
        if let Some(status) = self.min_status_code {
            find = find.filter(Column::StatusCode.gte(status));
        }
        for (column, value) in [
            (Column::Method, self.method.map(|method| method.to_uppercase())),
            (Column::RequestId, self.request_id),
        ] {
            if let Some(value) = value {
                find = find.filter(column.eq(value));
            }
        }
        if let Some(prefix) = self.path_prefix {
            // not LIKE, in which `%` and `_` mean something, and whose case the databases see differently
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
        if let Some(after) = self.created_after {
            find = find.filter(Column::Id.gte(first_id_at(after)));
        }
        if let Some(before) = self.created_before {
            find = find.filter(Column::Id.lt(first_id_at(before)));
        }
        find
    }
}

/// Leaves out what lists don't show.
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
        whose: Whose,
        filter: ApiLogFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        if whose.instance {
            let tx = self.db.system_read(&operators::instance(scope)?).await?;
            without_bodies(filter.narrow(tx.find())).page(page, |row| row.id.0).await
        } else {
            let tx = self.db.read(scope).await?;
            without_bodies(filter.narrow(tx.find())).page(page, |row| row.id.0).await
        }
    }

    async fn get(&self, scope: &Scope, whose: Whose, id: ApiLogId) -> Result<Model> {
        let row = if whose.instance {
            self.db.system_read(&operators::instance(scope)?).await?.get::<Entity>(id).await?
        } else {
            self.db.read(scope).await?.get::<Entity>(id).await?
        };
        row.ok_or_else(|| Error::not_found("request on record"))
    }
}

/// The routes.
pub fn router(db: Db) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).with_state(Handle { db })
}

/// Requests on record, newest first, within a second of their end. Which ones are recorded is set by the configuration
/// key `records.api_logs`.
#[utoipa::path(
    get, path = "/api/v1/api_logs", tag = "api_logs", operation_id = "api_logs_list",
    params(ApiLogFilter, Whose, PageQuery),
    responses((status = 200, body = Page<ApiLogView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["api_logs:read"]))
)]
async fn list(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Query(filter): Query<ApiLogFilter>,
    Query(whose): Query<Whose>,
    Query(page): Query<PageQuery>,
) -> ApiResult<axum::Json<Page<ApiLogView>>> {
    Ok(axum::Json(handle.list(&scope, whose, filter, &page).await?.map(ApiLogView::from)))
}

/// One request on record, with its headers, and its bodies if they are kept.
#[utoipa::path(
    get, path = "/api/v1/api_logs/{id}", tag = "api_logs", operation_id = "api_logs_get",
    params(("id" = ApiLogId, Path), Whose),
    responses((status = 200, body = ApiLogView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["api_logs:read"]))
)]
async fn get(
    State(handle): State<Handle>,
    Caller(scope): Caller,
    Path(id): Path<ApiLogId>,
    Query(whose): Query<Whose>,
) -> ApiResult<axum::Json<ApiLogView>> {
    Ok(axum::Json(handle.get(&scope, whose, id).await?.into()))
}
