//! Reads tool calls.

use axum::Json as JsonResponse;
use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Path, Query, Tagged};
use loam_kernel::{
    ChatSessionId, Error, JsonValue, LlmCallId, MessageId, Page, PageQuery, Result, Scope, ToolCallId,
    TurnId, UserId, first_id_at,
};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, IntoSimpleExpr, QueryFilter, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{Column, Entity, Model, ToolCallStatus};
use crate::Gateway;

/// Without this permission a user sees only the tool calls of their own conversations.
const ALL: &str = "chat_sessions:all";

/// Which tool calls to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ToolCallFilter {
    /// Only tool calls in this conversation.
    pub session_id: Option<ChatSessionId>,
    /// Only tool calls that this model call requested.
    pub llm_call_id: Option<LlmCallId>,
    /// Only calls of this tool.
    pub tool_name: Option<String>,
    /// Only tool calls in this trace.
    pub trace_id: Option<String>,
    /// Only tool calls with this status.
    pub status: Option<ToolCallStatus>,
    /// Only tool calls created at or after this time.
    pub created_after: Option<DateTime<Utc>>,
    /// Only tool calls created before this time.
    pub created_before: Option<DateTime<Utc>>,
}

/// A tool call. Lists omit its arguments and its result.
#[derive(Serialize, ToSchema)]
pub struct ToolCallView {
    id: ToolCallId,
    session_id: Option<ChatSessionId>,
    turn_id: Option<TurnId>,
    /// The assistant's message that requested it.
    message_id: Option<MessageId>,
    /// The model call that requested it.
    llm_call_id: Option<LlmCallId>,
    /// The user of the conversation; null: the application.
    user_id: Option<UserId>,
    /// The model's id of the tool call.
    call_id: String,
    tool_name: String,
    /// Its arguments: JSON, or a string if the model wrote invalid JSON; only in the response for a single tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JsonValue>, nullable = false)]
    tool_args: Option<Value>,
    /// Its result, truncated to 64 KiB; only in the response for a single tool call.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    result: Option<String>,
    status: ToolCallStatus,
    /// Milliseconds until its result or failure.
    duration_ms: Option<i64>,
    error_message: Option<String>,
    /// W3C trace id, if an application reported the tool call.
    trace_id: Option<String>,
    /// W3C span id of the tool call.
    span_id: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl ToolCallView {
    fn listed(row: Model) -> Self {
        Self { tool_args: None, result: None, ..Self::from(row) }
    }
}

impl From<Model> for ToolCallView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            session_id: row.session_id,
            turn_id: row.turn_id,
            message_id: row.message_id,
            llm_call_id: row.llm_call_id,
            user_id: row.user_id,
            call_id: row.call_id,
            tool_name: row.tool_name,
            tool_args: Some(serde_json::from_str(&row.tool_args).unwrap_or(Value::String(row.tool_args))),
            result: row.result,
            status: row.status,
            duration_ms: row.duration_ms,
            error_message: row.error_message,
            trace_id: row.trace_id,
            span_id: row.span_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Gateway {
    /// The tool calls that the caller may see, newest first, without arguments and results.
    pub async fn list_tool_calls(
        &self,
        scope: &Scope,
        filter: ToolCallFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        let mut find = tx.find::<Entity>().select_only();
        for column in <Column as sea_orm::Iterable>::iter() {
            let shown = match column {
                Column::ToolArgs => Expr::val(""),
                Column::Result => Expr::val(Option::<String>::None),
                column => column.into_simple_expr(),
            };
            find = find.column_as(shown, sea_orm::IdenStatic::as_str(&column));
        }
        if let Some(user) = scope.own_only(ALL) {
            find = find.filter(Column::UserId.eq(user));
        }
        if let Some(session) = filter.session_id {
            find = find.filter(Column::SessionId.eq(session));
        }
        if let Some(call) = filter.llm_call_id {
            find = find.filter(Column::LlmCallId.eq(call));
        }
        if let Some(tool) = filter.tool_name {
            find = find.filter(Column::ToolName.eq(tool));
        }
        if let Some(trace) = filter.trace_id {
            find = find.filter(Column::TraceId.eq(trace));
        }
        if let Some(status) = filter.status {
            find = find.filter(Column::Status.eq(status));
        }
        if let Some(after) = filter.created_after {
            find = find.filter(Column::Id.gte(first_id_at(after)));
        }
        if let Some(before) = filter.created_before {
            find = find.filter(Column::Id.lt(first_id_at(before)));
        }
        find.page(page, |row| row.id.0).await
    }

    /// A tool call that the caller may see.
    pub async fn get_tool_call(&self, scope: &Scope, id: ToolCallId) -> Result<Model> {
        let own = scope.own_only(ALL);
        let row = self.0.db.read(scope).await?.get::<Entity>(id).await?;
        row.filter(|row| own.is_none() || row.user_id == own).ok_or_else(|| Error::not_found("tool call"))
    }
}

pub(crate) fn router(gateway: Gateway) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get)).with_state(gateway)
}

/// Tool calls, newest first, without arguments and results. A user without `chat_sessions:all` sees those of their
/// own conversations.
#[utoipa::path(
    get, path = "/api/v1/tool_calls", tag = "tool_calls", operation_id = "tool_calls_list",
    params(ToolCallFilter, PageQuery),
    responses((status = 200, body = Page<ToolCallView>)),
    security(("api_key" = ["tool_calls:read"]))
)]
async fn list(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Query(filter): Query<ToolCallFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<ToolCallView>>> {
    Ok(JsonResponse(gateway.list_tool_calls(&scope, filter, &page).await?.map(ToolCallView::listed)))
}

/// One tool call, with its arguments and its result.
#[utoipa::path(
    get, path = "/api/v1/tool_calls/{id}", tag = "tool_calls", operation_id = "tool_calls_get",
    params(("id" = ToolCallId, Path)),
    responses((status = 200, body = ToolCallView)),
    security(("api_key" = ["tool_calls:read"]))
)]
async fn get(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Path(id): Path<ToolCallId>,
) -> ApiResult<Tagged<ToolCallView>> {
    let call = gateway.get_tool_call(&scope, id).await?;
    Ok(Tagged::new(call.updated_at, call.into()))
}
