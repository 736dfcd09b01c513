//! Reads calls.

use std::borrow::Cow;
use std::collections::HashMap;

use axum::Json as JsonResponse;
use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Path, Query, Tagged};
use loam_kernel::{
    ApiKeyId, Error, LlmCallId, Page, PageQuery, ProjectId, Result, Scope, UserId, first_id_at,
};
use loam_platform::personal::end_user_key;
use sea_orm::{ColumnTrait, IntoSimpleExpr, QueryFilter, QuerySelect};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{CallState, Column, Entity, Model};
use super::read_call::read_call;
pub use super::view::LlmCallView;
use crate::Gateway;

/// Which calls to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LlmCallFilter {
    /// Only calls in this state.
    pub state: Option<CallState>,
    /// Only calls of this provider.
    pub provider: Option<String>,
    /// Only calls of this model.
    pub model: Option<String>,
    /// Only calls of this endpoint, by its recorded path, such as `/images/generations`.
    pub endpoint: Option<String>,
    /// Only calls of this key.
    pub api_key_id: Option<ApiKeyId>,
    /// Only calls of this route.
    pub route: Option<String>,
    /// Only calls of this user.
    pub user_id: Option<UserId>,
    /// Only calls of this project.
    pub project_id: Option<ProjectId>,
    /// Only calls of this conversation.
    pub session_id: Option<String>,
    /// Only calls of this end user of the application.
    pub end_user: Option<String>,
    /// Only calls with this tag.
    pub tag: Option<String>,
    /// Only calls with all of these fields in their metadata: a JSON object of texts such as `{"plan":"pro"}`.
    pub metadata: Option<String>,
    /// Only calls of this trace.
    pub trace_id: Option<String>,
    /// Only the call of this request.
    pub request_id: Option<String>,
    /// Only calls created at or after this time.
    pub created_after: Option<DateTime<Utc>>,
    /// Only calls created before this time.
    pub created_before: Option<DateTime<Utc>>,
}

impl Gateway {
    /// The tenant's calls, newest first, without their bodies.
    pub async fn list_calls(
        &self,
        scope: &Scope,
        filter: LlmCallFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        let nothing = || sea_orm::sea_query::Expr::val(Option::<Vec<u8>>::None);
        let columns = [Column::RequestData, Column::ResponseData];
        let mut find = tx.find::<Entity>().select_only();
        for column in <Column as sea_orm::Iterable>::iter() {
            find = match columns.iter().any(|body| *body as u8 == column as u8) {
                true => find.column_as(nothing(), sea_orm::IdenStatic::as_str(&column)),
                false => find.column_as(column.into_simple_expr(), sea_orm::IdenStatic::as_str(&column)),
            };
        }
        if let Some(state) = filter.state {
            find = find.filter(Column::State.eq(state));
        }
        if let Some(key) = filter.api_key_id {
            find = find.filter(Column::ApiKeyId.eq(key));
        }
        if let Some(user) = filter.user_id {
            find = find.filter(Column::UserId.eq(user));
        }
        if let Some(project) = filter.project_id {
            find = find.filter(Column::ProjectId.eq(project));
        }
        for (column, value) in [
            (Column::Provider, filter.provider),
            (Column::Model, filter.model),
            (Column::Endpoint, filter.endpoint),
            (Column::Route, filter.route),
            (Column::SessionId, filter.session_id),
            (Column::EndUser, filter.end_user.as_deref().and_then(end_user_key).map(Cow::into_owned)),
            (Column::TraceId, filter.trace_id),
            (Column::RequestId, filter.request_id),
        ] {
            if let Some(value) = value {
                find = find.filter(column.eq(value));
            }
        }
        if let Some(tag) = filter.tag {
            find = find.filter(Column::Tags.is_not_null()).holding(Column::Tags, &[tag]);
        }
        if let Some(text) = filter.metadata {
            let fields: HashMap<String, String> = serde_json::from_str(&text).map_err(|_| {
                Error::invalid("metadata", "must be a JSON object of texts such as {\"plan\":\"pro\"}")
            })?;
            let fields = fields.into_iter().map(|(name, value)| (name, value.into())).collect();
            find = find.containing(Column::Metadata, &fields);
        }
        if let Some(after) = filter.created_after {
            find = find.filter(Column::Id.gte(first_id_at(after)));
        }
        if let Some(before) = filter.created_before {
            find = find.filter(Column::Id.lt(first_id_at(before)));
        }
        find.page(page, |row| row.id.0).await
    }

    /// One call, with its bodies. A call is readable as soon as it was acknowledged.
    pub async fn get_call(&self, scope: &Scope, id: LlmCallId) -> Result<Model> {
        read_call(&self.0.db, &self.0.ledger, scope, id).await
    }
}

pub(crate) fn router(gateway: Gateway) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).with_state(gateway)
}

/// Model calls, newest first, without their bodies. A call is listed within a second of its end.
#[utoipa::path(
    get, path = "/api/v1/llm_calls", tag = "llm_calls", operation_id = "llm_calls_list",
    params(LlmCallFilter, PageQuery),
    responses((status = 200, body = Page<LlmCallView>)),
    security(("api_key" = ["llm_calls:read"]))
)]
async fn list(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Query(filter): Query<LlmCallFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<LlmCallView>>> {
    let retention = gateway.0.retention().of(scope.tenant());
    let calls = gateway.list_calls(&scope, filter, &page).await?;
    Ok(JsonResponse(calls.map(|call| LlmCallView::from(call).expiring(&retention))))
}

/// One model call, with its bodies; available as soon as the call has ended.
#[utoipa::path(
    get, path = "/api/v1/llm_calls/{id}", tag = "llm_calls", operation_id = "llm_calls_get",
    params(("id" = LlmCallId, Path)),
    responses((status = 200, body = LlmCallView)),
    security(("api_key" = ["llm_calls:read"]))
)]
async fn get(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<LlmCallId>,
) -> ApiResult<Tagged<LlmCallView>> {
    let call = gateway.get_call(&scope, id).await?;
    let retention = gateway.0.retention().of(scope.tenant());
    Ok(Tagged::new(call.updated_at, LlmCallView::from(call).expiring(&retention)))
}
