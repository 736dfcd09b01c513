//! The routes of a session's tools, and for testing one.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Tagged};
use loam_kernel::{ChatSessionId, Error, Result, Scope};
use loam_platform::records::redact::excerpt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::declaration::{Execution, ToolDeclaration};
use super::execute::ToolInvocation;
use super::secrets;
use super::service::declared;
use crate::chat_sessions::access;
use crate::chat_sessions::update::require_active;
use crate::session_configs::entity::Model as Setting;
use crate::tools::Tools;

/// Maximum number of characters of a result shown by a test.
const MAX_SHOWN: usize = 2000;

/// The tools of a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolList {
    /// All tools, at most 128, in the order in which they are sent to the model.
    tools: Vec<ToolDeclaration>,
}

/// The tools of a session, with masked secrets.
#[derive(Serialize, ToSchema)]
struct ToolListView {
    #[schema(value_type = Vec<ToolDeclaration>)]
    tools: Value,
}

impl ToolListView {
    fn tagged(row: Setting) -> Tagged<Self> {
        Tagged::new(row.updated_at, Self { tools: row.value.0 })
    }
}

/// A tool call to test.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ToolTrial {
    /// Name of the tool.
    #[serde(default)]
    name: String,
    /// Arguments, as a model would send them. Defaults to none.
    #[serde(default)]
    #[schema(value_type = Object)]
    arguments: Value,
}

/// The result that a model would get: its first 2,000 characters, without the tool's own secrets.
#[derive(Serialize, ToSchema)]
struct ToolTrialResult {
    content: String,
    is_error: bool,
}

impl Tools {
    async fn test_tool(&self, scope: &Scope, id: ChatSessionId, trial: ToolTrial) -> Result<ToolTrialResult> {
        let (session, tools) = {
            let tx = self.0.db.read(scope).await?;
            let session = access::get(&tx, id).await?;
            let tools = declared(&tx, &session).await?;
            (session, tools)
        };
        require_active(&session)?;
        let tool = tools.iter().find(|tool| tool.name() == trial.name);
        let tool = tool.ok_or_else(|| Error::invalid("name", "no such tool in this session"))?;
        if !tool.runs_on_server() {
            return Err(Error::invalid("name", "this tool is executed by the client, not by Loam"));
        }
        let invocation = ToolInvocation {
            session: session.id,
            turn: None,
            message: None,
            llm_call: None,
            call_id: format!("trial_{}", self.0.clock.id::<uuid::Uuid>().simple()),
            arguments: if trial.arguments.is_null() { String::new() } else { trial.arguments.to_string() },
        };
        let outcome = self.execute_tool(scope, tool, invocation).await;
        let opened = match &tool.execution {
            Execution::Http(request) => {
                Some(secrets::open(&self.0.keyring, session.id, tool.name(), request)?)
            }
            Execution::Client {} => None,
        };
        let sent: Vec<&str> = opened
            .iter()
            .flat_map(|opened| opened.headers.values().chain(&opened.secret))
            .map(|secret| secret.as_str())
            .collect();
        let content = excerpt(&outcome.content, MAX_SHOWN, &sent);
        Ok(ToolTrialResult { content, is_error: outcome.is_error })
    }
}

pub(crate) fn router(tools: Tools) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list, declare)).routes(routes!(test)).with_state(tools)
}

/// Lists the tools of a session, with masked secrets.
///
/// The response has an `ETag` once tools have been declared.
#[utoipa::path(
    get, path = "/api/v1/chat_sessions/{id}/tools", tag = "chat_sessions", operation_id = "chat_sessions_tools_get",
    params(("id" = ChatSessionId, Path)),
    responses((status = 200, body = ToolListView)),
    security(("api_key" = ["chat_sessions:read"]))
)]
async fn list(
    State(tools): State<Tools>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
) -> ApiResult<Response> {
    let row = tools.list_tools(&scope, id).await?;
    let none = || axum::Json(ToolListView { tools: Value::Array(Vec::new()) }).into_response();
    Ok(row.map_or_else(none, |row| ToolListView::tagged(row).into_response()))
}

/// Declares the tools of a session, replacing the existing ones.
///
/// Tools that Loam executes also require `chat_sessions:all`. A secret sent in its masked form keeps the
/// stored value, as long as the URL stays on the same server.
#[utoipa::path(
    put, path = "/api/v1/chat_sessions/{id}/tools", tag = "chat_sessions", operation_id = "chat_sessions_tools_set",
    params(("id" = ChatSessionId, Path), ("If-Match" = Option<String>, Header, description = "the version you read")),
    request_body = ToolList,
    responses((status = 200, body = ToolListView)),
    extensions(("x-errors" = json!({
        "400": ["secret_required"],
        "409": ["too_many_settings", "session_archived"]
    }))),
    security(("api_key" = ["chat_sessions:write"]))
)]
async fn declare(
    State(tools): State<Tools>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
    IfMatch(version): IfMatch,
    Json(list): Json<ToolList>,
) -> ApiResult<Tagged<ToolListView>> {
    Ok(ToolListView::tagged(tools.declare_tools(&scope, id, list.tools, &version).await?))
}

/// Tests a tool that Loam executes, with arguments as a model would send them.
///
/// Returns the result that the model would get. The call is recorded like any other tool call.
#[utoipa::path(
    post, path = "/api/v1/chat_sessions/{id}/tools/test", tag = "chat_sessions", operation_id = "chat_sessions_tools_test",
    params(("id" = ChatSessionId, Path)),
    request_body = ToolTrial,
    responses((status = 200, body = ToolTrialResult)),
    extensions(("x-errors" = json!({"409": ["session_archived"]}))),
    security(("api_key" = ["turns:write"]))
)]
async fn test(
    State(tools): State<Tools>,
    Caller(scope): Caller,
    Path(id): Path<ChatSessionId>,
    Json(trial): Json<ToolTrial>,
) -> ApiResult<axum::Json<ToolTrialResult>> {
    Ok(axum::Json(tools.test_tool(&scope, id, trial).await?))
}
