//! Using a tool over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use loam_gateway::tool_calls::entity::ToolCallStatus;
use loam_gateway::tool_calls::{NewToolCall, ToolCallOutcome};
use loam_http::client::Timeouts;
use loam_kernel::{
    ChatSessionId, Error, LlmCallId, MessageId, Result, Scope, TenantId, ToolCallId, TurnId, beside_patiently,
};
use serde_json::{Value, json};

use super::declaration::{Execution, HttpExecution, ToolDeclaration, ToolMethod};
use super::{schema, secrets};
use crate::Conversation;
use crate::chat_sessions::entity::Entity as Sessions;
use crate::signature::sign;

/// Bytes of arguments that are sent on.
const MAX_ARGUMENTS: usize = 256 << 10;
/// Characters of a failed tool's answer that the model is shown.
const MAX_SHOWN: usize = 1000;
/// How long a connection to a tool may take, within the time-out of the whole.
const CONNECT: Duration = Duration::from_secs(5);

/// What a model wants a tool for.
#[derive(Clone, Debug)]
pub(crate) struct ToolUse {
    /// In which session.
    pub(crate) session: ChatSessionId,
    /// In which turn of it.
    pub(crate) turn: Option<TurnId>,
    /// The message that asks.
    pub(crate) message: Option<MessageId>,
    /// The model call that asks.
    pub(crate) llm_call: Option<LlmCallId>,
    /// The model's own id of it.
    pub(crate) call_id: String,
    /// As the model wrote them.
    pub(crate) arguments: String,
}

/// What came of it, for the model.
#[derive(Clone, Debug)]
pub(crate) struct ToolOutcome {
    /// The result, or what went wrong.
    pub(crate) content: String,
    /// Whether something went wrong.
    pub(crate) is_error: bool,
}

/// Why there is no result, in words for the model.
struct Failure {
    status: ToolCallStatus,
    why: String,
}

impl Failure {
    fn new(why: impl Into<String>) -> Self {
        Self { status: ToolCallStatus::Failed, why: why.into() }
    }

    fn late(request: &HttpExecution) -> Self {
        let why = format!("the tool gave no answer within {} ms", request.timeout_ms);
        Self { status: ToolCallStatus::TimedOut, why }
    }
}

impl Conversation {
    /// Uses a tool that runs here, and writes down what came of it. There is always an outcome for the model to go on
    /// with.
    pub(crate) async fn execute_tool(
        &self,
        scope: &Scope,
        tool: &ToolDeclaration,
        usage: ToolUse,
    ) -> ToolOutcome {
        let done = match self.begin_use(scope, tool, &usage).await {
            Ok(id) => {
                let done = self.use_tool(scope, tool, &usage).await;
                self.end_use(scope, id, &done).await;
                done
            }
            Err(e) => {
                // what is not on record is not done
                tracing::warn!(error = %e, tool.name = tool.name(), "a tool was not used, as that could not be recorded");
                Err(Failure::new("the tool can't be used at the moment"))
            }
        };
        match done {
            Ok(content) => ToolOutcome { content, is_error: false },
            Err(failure) => ToolOutcome { content: failure.why, is_error: true },
        }
    }

    async fn begin_use(&self, scope: &Scope, tool: &ToolDeclaration, usage: &ToolUse) -> Result<ToolCallId> {
        let tx = self.0.db.write(scope).await?;
        let session =
            tx.get::<Sessions>(usage.session).await?.ok_or_else(crate::chat_sessions::access::missing)?;
        let new = NewToolCall {
            session: usage.session,
            user: session.user_id,
            turn: usage.turn,
            message: usage.message,
            llm_call: usage.llm_call,
            call_id: usage.call_id.clone(),
            tool: tool.name().to_owned(),
            arguments: usage.arguments.clone(),
            run_by_client: false,
        };
        let id = self.0.gateway.record_tool_call(&tx, new).await?;
        tx.commit().await?;
        Ok(id)
    }

    async fn end_use(&self, scope: &Scope, id: ToolCallId, done: &Result<String, Failure>) {
        let end = match done {
            Ok(content) => ToolCallOutcome::succeeded(content.clone()),
            Err(failure) => ToolCallOutcome::failed(failure.status, failure.why.clone()),
        };
        metrics::counter!("loam_tool_calls_total", "result" => if done.is_ok() { "ok" } else { "error" })
            .increment(1);
        let written = async {
            let tx = self.0.db.write(scope).await?;
            self.0.gateway.finish_tool_call(&tx, id, end).await?;
            tx.commit().await
        };
        if let Err(e) = written.await {
            tracing::warn!(error = %e, tool_call.id = %id, "how a tool's use ended could not be recorded");
        }
    }

    async fn use_tool(
        &self,
        scope: &Scope,
        tool: &ToolDeclaration,
        usage: &ToolUse,
    ) -> Result<String, Failure> {
        let Execution::Http(request) = &tool.execution else {
            return Err(Failure::new("this tool is the client's to use"));
        };
        let arguments = read_arguments(scope.tenant(), tool, &usage.arguments).await?;
        let body = json!({
            "tool": tool.name(),
            "arguments": arguments,
            "session_id": usage.session,
            "turn_id": usage.turn,
            "tool_call_id": usage.call_id,
        });
        let outgoing = self.request(tool, request, usage.session, body.to_string().into());
        let outgoing = outgoing.map_err(|e| {
            tracing::warn!(error = %e, tool.name = tool.name(), "the request for a tool could not be made");
            Failure::new("the tool is not set up rightly")
        })?;
        let limit = Duration::from_millis(request.timeout_ms);
        match tokio::time::timeout(limit, self.exchange(request, outgoing, limit)).await {
            Ok(done) => done,
            Err(_) => Err(Failure::late(request)),
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
            sign(headers, secret, self.0.clock.now().timestamp(), &body)?;
        }
        Ok(outgoing)
    }

    async fn exchange(
        &self,
        request: &HttpExecution,
        outgoing: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<String, Failure> {
        let timeouts = Timeouts { connect: limit.min(CONNECT), first_byte: limit, idle: limit };
        let answer = self.0.client.send(outgoing, timeouts).await.map_err(|e| match e.is_timeout() {
            true => Failure::late(request),
            false => Failure::new(format!("the tool can't be reached: {e}")),
        })?;
        let status = answer.status();
        let max = usize::try_from(request.max_bytes).unwrap_or(usize::MAX);
        let body = Limited::new(answer.into_body(), max).collect().await.map_err(|e| match e
            .downcast_ref::<LengthLimitError>()
        {
            Some(_) => Failure::new(format!("the tool's answer is longer than {max} bytes")),
            None => Failure::new("the tool's answer broke off"),
        })?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        let shown: String = text.chars().take(MAX_SHOWN).collect();
        Err(Failure::new(format!("the tool answered with status {}: {shown}", status.as_u16())))
    }
}

/// The arguments, if the tool takes them. Checking may take a while, so it runs apart.
async fn read_arguments(tenant: TenantId, tool: &ToolDeclaration, text: &str) -> Result<Value, Failure> {
    if text.len() > MAX_ARGUMENTS {
        return Err(Failure::new(format!("the arguments are longer than {MAX_ARGUMENTS} bytes")));
    }
    // a tool without parameters is often asked with nothing at all
    let text = if text.trim().is_empty() { "{}" } else { text };
    let arguments: Value = serde_json::from_str(text)
        .map_err(|e| Failure::new(format!("the arguments are not valid JSON: {e}")))?;
    let schema = tool.function.parameters.clone();
    let checked = beside_patiently(tenant, move || {
        let validator = schema::compiled("parameters", &schema).map_err(|e| Failure::new(e.message()))?;
        match schema::faults(&validator, &arguments) {
            None => Ok(arguments),
            Some(faults) => {
                Err(Failure::new(format!("the arguments don't fit the tool's parameters: {faults}")))
            }
        }
    });
    checked.await.map_err(|_| Failure::new("the arguments could not be checked"))?
}
