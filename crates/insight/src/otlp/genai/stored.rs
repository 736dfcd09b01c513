//! The payload of the journal frames with reported model and tool calls.

use chrono::{DateTime, Utc};
use loam_gateway::llm_calls::{
    ImportedCall, ReportedCall, SpanLinks, StoredCallState, StoredSource, StoredUsage,
};
use loam_gateway::tool_calls::ReportedToolCall;
use loam_kernel::{LlmCallId, ProjectId, Result, TenantId, ToolCallId, UserId};
use loam_platform::stored_format::StoredFormat;
use serde::{Deserialize, Serialize};

use super::sink::CallFrame;

/// Version 1 has no version byte, and at first had no end users. Version 2 has no identities.
pub(crate) const REPORTED_CALLS_FRAME: StoredFormat =
    StoredFormat::new("reported_calls_frame", 3).first_unversioned();

#[derive(Serialize, Deserialize)]
struct Fields {
    tenant: TenantId,
    calls: Vec<StoredCall>,
    tools: Vec<StoredToolCall>,
}

#[derive(Serialize, Deserialize)]
struct StoredCall {
    id: LlmCallId,
    at: DateTime<Utc>,
    state: StoredCallState,
    provider: String,
    model: String,
    session: Option<String>,
    user: Option<UserId>,
    project: Option<ProjectId>,
    streamed: bool,
    status: Option<u16>,
    error: Option<String>,
    usage: Option<StoredUsage>,
    cost_nano_usd: Option<i64>,
    latency_us: Option<i64>,
    first_token_us: Option<i64>,
    source: StoredSource,
    endpoint: String,
    trace_id: Option<String>,
    span_id: Option<String>,
    request: Option<Vec<u8>>,
    response: Option<Vec<u8>>,
    requested_model: Option<String>,
    child_span_ids: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredToolCall {
    id: ToolCallId,
    at: DateTime<Utc>,
    call_id: String,
    tool: String,
    arguments: String,
    result: Option<String>,
    error: Option<String>,
    duration_ms: i64,
    trace_id: String,
    span_id: String,
}

/// What identifies a call.
#[derive(Serialize, Deserialize)]
struct StoredIdentity {
    response_id: Option<String>,
    scopes: Vec<String>,
    span_ids: Vec<String>,
}

/// Encodes a frame: its fields, then the end user of each call, then the identity of each.
pub(super) fn encode(frame: CallFrame) -> Result<Vec<u8>> {
    let CallFrame { tenant, mut calls, tools } = frame;
    let end_users: Vec<Option<String>> =
        calls.iter_mut().map(|reported| reported.call.end_user.take()).collect();
    let identities: Vec<StoredIdentity> = calls.iter_mut().map(StoredIdentity::take).collect();
    let (calls, tools) = (calls.into_iter().map(Into::into), tools.into_iter().map(Into::into));
    let fields = Fields { tenant, calls: calls.collect(), tools: tools.collect() };
    REPORTED_CALLS_FRAME.encode(&(fields, end_users, identities))
}

/// Decodes a frame.
pub(super) fn decode(payload: &[u8]) -> Result<CallFrame> {
    let (version, body) = REPORTED_CALLS_FRAME.open(payload)?;
    let (fields, rest): (Fields, _) = REPORTED_CALLS_FRAME.decode_prefix(body)?;
    let (end_users, identities): (Vec<Option<String>>, Vec<StoredIdentity>) = match (version, rest) {
        (1, []) => Default::default(),
        (1 | 2, rest) => (REPORTED_CALLS_FRAME.decode(rest)?, Vec::new()),
        (_, rest) => REPORTED_CALLS_FRAME.decode(rest)?,
    };
    let mut calls: Vec<ReportedCall> = fields.calls.into_iter().map(Into::into).collect();
    for (reported, end_user) in calls.iter_mut().zip(end_users) {
        reported.call.end_user = end_user;
    }
    for (reported, StoredIdentity { response_id, scopes, span_ids }) in calls.iter_mut().zip(identities) {
        reported.call.response_id = response_id;
        reported.call.links = Some(SpanLinks { scopes, span_ids });
    }
    Ok(CallFrame { tenant: fields.tenant, calls, tools: fields.tools.into_iter().map(Into::into).collect() })
}

impl StoredIdentity {
    fn take(reported: &mut ReportedCall) -> Self {
        let SpanLinks { scopes, span_ids } = reported.call.links.take().unwrap_or_default();
        Self { response_id: reported.call.response_id.take(), scopes, span_ids }
    }
}

impl From<ReportedCall> for StoredCall {
    fn from(reported: ReportedCall) -> Self {
        let ReportedCall { call, requested_model, child_span_ids } = reported;
        Self {
            id: call.id,
            at: call.at,
            state: call.state.into(),
            provider: call.provider,
            model: call.model,
            session: call.session,
            user: call.user,
            project: call.project,
            streamed: call.streamed,
            status: call.status,
            error: call.error,
            usage: call.usage.map(Into::into),
            cost_nano_usd: call.cost_nano_usd,
            latency_us: call.latency_us,
            first_token_us: call.first_token_us,
            source: call.source.into(),
            endpoint: call.endpoint,
            trace_id: call.trace_id,
            span_id: call.span_id,
            request: call.request,
            response: call.response,
            requested_model,
            child_span_ids,
        }
    }
}

impl From<StoredCall> for ReportedCall {
    fn from(stored: StoredCall) -> Self {
        let call = ImportedCall {
            id: stored.id,
            at: stored.at,
            state: stored.state.into(),
            provider: stored.provider,
            model: stored.model,
            session: stored.session,
            user: stored.user,
            end_user: None,
            project: stored.project,
            streamed: stored.streamed,
            status: stored.status,
            error: stored.error,
            usage: stored.usage.map(Into::into),
            cost_nano_usd: stored.cost_nano_usd,
            latency_us: stored.latency_us,
            first_token_us: stored.first_token_us,
            source: stored.source.into(),
            endpoint: stored.endpoint,
            trace_id: stored.trace_id,
            span_id: stored.span_id,
            response_id: None,
            links: None,
            request: stored.request,
            response: stored.response,
        };
        Self { call, requested_model: stored.requested_model, child_span_ids: stored.child_span_ids }
    }
}

impl From<ReportedToolCall> for StoredToolCall {
    fn from(reported: ReportedToolCall) -> Self {
        let ReportedToolCall {
            id,
            at,
            call_id,
            tool,
            arguments,
            result,
            error,
            duration_ms,
            trace_id,
            span_id,
        } = reported;
        Self { id, at, call_id, tool, arguments, result, error, duration_ms, trace_id, span_id }
    }
}

impl From<StoredToolCall> for ReportedToolCall {
    fn from(stored: StoredToolCall) -> Self {
        let StoredToolCall {
            id,
            at,
            call_id,
            tool,
            arguments,
            result,
            error,
            duration_ms,
            trace_id,
            span_id,
        } = stored;
        Self { id, at, call_id, tool, arguments, result, error, duration_ms, trace_id, span_id }
    }
}

#[cfg(test)]
#[path = "stored_tests.rs"]
mod tests;
