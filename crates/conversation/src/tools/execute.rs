//! Executes tools over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use loam_gateway::tool_calls::ToolCallStatus;
use loam_gateway::tool_calls::{NewToolCall, ToolCallOutcome};
use loam_http::client::Timeouts;
use loam_kernel::{
    ChatSessionId, Error, LlmCallId, MessageId, Result, Scope, TenantId, ToolCallId, TurnId,
    run_blocking_without_timeout, truncate_chars,
};
use loam_platform::webhook_deliveries::signature::sign_headers;
use serde_json::{Value, json};

use super::declaration::{Execution, HttpExecution, ToolDeclaration, ToolMethod};
use super::{schema, secrets};
use crate::chat_sessions::entity::Entity as Sessions;
use crate::tools::Tools;

/// Maximum size of the arguments in bytes.
const MAX_ARGUMENTS: usize = 256 << 10;
/// Maximum number of characters of a failed tool's response that the model gets.
const MAX_SHOWN: usize = 1000;
/// Timeout for connecting to a tool, within the timeout of the whole request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A tool call of a model.
#[derive(Clone, Debug)]
pub(crate) struct ToolInvocation {
    /// Session ID.
    pub(crate) session: ChatSessionId,
    /// Turn ID.
    pub(crate) turn: Option<TurnId>,
    /// The message that contains the tool call.
    pub(crate) message: Option<MessageId>,
    /// The model call that requested it.
    pub(crate) llm_call: Option<LlmCallId>,
    /// The id that the model assigned.
    pub(crate) call_id: String,
    /// JSON, as the model wrote it.
    pub(crate) arguments: String,
}

/// The result of a tool call, for the model.
#[derive(Clone, Debug)]
pub(crate) struct ToolOutcome {
    /// The result, or the error.
    pub(crate) content: String,
    /// Whether the call failed.
    pub(crate) is_error: bool,
}

/// Why there is no result, worded for the model.
struct Failure {
    status: ToolCallStatus,
    message: String,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self { status: ToolCallStatus::Failed, message: message.into() }
    }

    fn timed_out(request: &HttpExecution) -> Self {
        let message = format!("the tool did not respond within {} ms", request.timeout_ms);
        Self { status: ToolCallStatus::TimedOut, message }
    }
}

impl Tools {
    /// Executes a tool call and records its result. Always returns an outcome, so that the model can
    /// continue.
    pub(crate) async fn execute_tool(
        &self,
        scope: &Scope,
        tool: &ToolDeclaration,
        invocation: ToolInvocation,
    ) -> ToolOutcome {
        let done = match self.record_start(scope, tool, &invocation).await {
            Ok(id) => {
                let done = self.invoke_tool(scope, tool, &invocation).await;
                self.record_end(scope, id, &done).await;
                done
            }
            Err(e) => {
                // A call that can't be recorded is not executed.
                tracing::warn!(error = %e, tool.name = tool.name(), "a tool call was not executed because it could not be recorded");
                Err(Failure::new("the tool is temporarily unavailable"))
            }
        };
        match done {
            Ok(content) => ToolOutcome { content, is_error: false },
            Err(failure) => ToolOutcome { content: failure.message, is_error: true },
        }
    }

    async fn record_start(
        &self,
        scope: &Scope,
        tool: &ToolDeclaration,
        invocation: &ToolInvocation,
    ) -> Result<ToolCallId> {
        let tx = self.0.db.write(scope).await?;
        let session = tx
            .get::<Sessions>(invocation.session)
            .await?
            .ok_or_else(crate::chat_sessions::access::missing)?;
        let new = NewToolCall {
            session: invocation.session,
            user: session.user_id,
            turn: invocation.turn,
            message: invocation.message,
            llm_call: invocation.llm_call,
            call_id: invocation.call_id.clone(),
            tool: tool.name().to_owned(),
            arguments: invocation.arguments.clone(),
            run_by_client: false,
        };
        let id = self.0.gateway.record_tool_call(&tx, new).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn record_end(&self, scope: &Scope, id: ToolCallId, done: &Result<String, Failure>) {
        let end = match done {
            Ok(content) => ToolCallOutcome::succeeded(content.clone()),
            Err(failure) => ToolCallOutcome::failed(failure.status, failure.message.clone()),
        };
        metrics::counter!("loam_tool_calls_total", "result" => if done.is_ok() { "ok" } else { "error" })
            .increment(1);
        let written = async {
            let tx = self.0.db.write(scope).await?;
            self.0.gateway.finish_tool_call(&tx, id, end).await?;
            tx.commit().await
        };
        if let Err(e) = written.await {
            tracing::warn!(error = %e, tool_call.id = %id, "the result of a tool call could not be recorded");
        }
    }

    async fn invoke_tool(
        &self,
        scope: &Scope,
        tool: &ToolDeclaration,
        invocation: &ToolInvocation,
    ) -> Result<String, Failure> {
        let Execution::Http(request) = &tool.execution else {
            return Err(Failure::new("this tool is executed by the client"));
        };
        let arguments = read_arguments(scope.tenant(), tool, &invocation.arguments).await?;
        let body = json!({
            "tool": tool.name(),
            "arguments": arguments,
            "session_id": invocation.session,
            "turn_id": invocation.turn,
            "tool_call_id": invocation.call_id,
        });
        let outgoing = self.request(tool, request, invocation.session, body.to_string().into());
        let outgoing = outgoing.map_err(|e| {
            tracing::warn!(error = %e, tool.name = tool.name(), "the request to a tool could not be built");
            Failure::new("the tool is misconfigured")
        })?;
        let limit = Duration::from_millis(request.timeout_ms);
        match tokio::time::timeout(limit, self.send_request(request, outgoing, limit)).await {
            Ok(done) => done,
            Err(_) => Err(Failure::timed_out(request)),
        }
    }

    fn request(
        &self,
        tool: &ToolDeclaration,
        request: &HttpExecution,
        session: ChatSessionId,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>> {
        let opened = secrets::open(&self.0.keyring, session, tool.name(), request)?;
        let mut outgoing = Request::new(Full::new(body.clone()));
        *outgoing.method_mut() = match request.method {
            ToolMethod::Post => Method::POST,
            ToolMethod::Put => Method::PUT,
        };
        *outgoing.uri_mut() = self.0.client.check_url("url", &request.url)?;
        let headers = outgoing.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &opened.headers {
            let mut value = HeaderValue::from_str(value).map_err(Error::internal)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name).map_err(Error::internal)?, value);
        }
        if let Some(secret) = &opened.secret {
            sign_headers(headers, secret.as_bytes(), self.0.clock.now().timestamp(), &body)?;
        }
        Ok(outgoing)
    }

    async fn send_request(
        &self,
        request: &HttpExecution,
        outgoing: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<String, Failure> {
        let timeouts = Timeouts { connect: limit.min(CONNECT_TIMEOUT), first_byte: limit, idle: limit };
        let response = self.0.client.send(outgoing, timeouts).await.map_err(|e| match e.is_timeout() {
            true => Failure::timed_out(request),
            false => Failure::new(format!("the tool is unreachable: {e}")),
        })?;
        let status = response.status();
        let max = usize::try_from(request.max_bytes).unwrap_or(usize::MAX);
        let body = Limited::new(response.into_body(), max).collect().await.map_err(|e| match e
            .downcast_ref::<LengthLimitError>(
        ) {
            Some(_) => Failure::new(format!("the tool's response is longer than {max} bytes")),
            None => Failure::new("the tool's response was truncated"),
        })?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        let shown = truncate_chars(&text, MAX_SHOWN);
        Err(Failure::new(format!("the tool responded with status {}: {shown}", status.as_u16())))
    }
}

/// Parses the arguments and validates them against the schema. Validation may take a while, so it runs off
/// the serving threads.
async fn read_arguments(tenant: TenantId, tool: &ToolDeclaration, text: &str) -> Result<Value, Failure> {
    if text.len() > MAX_ARGUMENTS {
        return Err(Failure::new(format!("the arguments are longer than {MAX_ARGUMENTS} bytes")));
    }
    // Models often send no arguments at all for a tool without parameters.
    let text = if text.trim().is_empty() { "{}" } else { text };
    let arguments: Value = serde_json::from_str(text)
        .map_err(|e| Failure::new(format!("the arguments are not valid JSON: {e}")))?;
    let schema = tool.function.parameters.clone();
    let checked = run_blocking_without_timeout(tenant, move || {
        let validator = schema::compiled("parameters", &schema).map_err(|e| Failure::new(e.message()))?;
        match schema::violations(&validator, &arguments) {
            None => Ok(arguments),
            Some(violations) => {
                Err(Failure::new(format!("the arguments don't match the tool's parameters: {violations}")))
            }
        }
    });
    checked.await.map_err(|_| Failure::new("the arguments could not be checked"))?
}
