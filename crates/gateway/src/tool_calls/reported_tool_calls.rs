//! Tool calls that applications report.

use chrono::{DateTime, Utc};
use loam_db::{Bulk, Column, OnConflict, System, Tx};
use loam_kernel::{Result, TenantId, ToolCallId};

use super::service::{MAX_ERROR, MAX_STORED, truncated};

/// A tool call that an application reports.
#[derive(Clone, Debug)]
pub struct ReportedToolCall {
    /// Its id, with the time `at`; the same each time it is reported.
    pub id: ToolCallId,
    /// When it started.
    pub at: DateTime<Utc>,
    /// The model's id of the tool call, else the span's id.
    pub call_id: String,
    /// Name of the tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: String,
    /// Its result.
    pub result: Option<String>,
    /// Its error; none if it succeeded.
    pub error: Option<String>,
    /// Its duration in milliseconds.
    pub duration_ms: i64,
    /// W3C trace id.
    pub trace_id: String,
    /// W3C id of the span.
    pub span_id: String,
}

/// Inserts reported tool calls; duplicates are inserted once.
///
/// # Errors
/// When a month has no partition, or on a database error.
pub async fn insert_reported(
    tx: &Tx<System>,
    now: DateTime<Utc>,
    mut reported: Vec<(TenantId, ReportedToolCall)>,
) -> Result<()> {
    reported.sort_by_key(|(tenant, tool)| (*tenant, tool.id));
    reported.dedup_by_key(|(tenant, tool)| (*tenant, tool.id));
    let text = |field: &dyn Fn(&ReportedToolCall) -> Option<String>| {
        Column::Text(reported.iter().map(|(_, tool)| field(tool)).collect())
    };
    let status = |tool: &ReportedToolCall| if tool.error.is_none() { "succeeded" } else { "failed" };
    let columns = vec![
        ("tenant_id", Column::Uuid(reported.iter().map(|(tenant, _)| Some(tenant.0)).collect())),
        ("id", Column::Uuid(reported.iter().map(|(_, tool)| Some(tool.id.0)).collect())),
        ("call_id", text(&|tool| Some(truncated(tool.call_id.clone(), MAX_STORED)))),
        ("tool_name", text(&|tool| Some(truncated(tool.tool.clone(), MAX_STORED)))),
        ("tool_args", text(&|tool| Some(truncated(tool.arguments.clone(), MAX_STORED)))),
        ("result", text(&|tool| tool.result.clone().map(|result| truncated(result, MAX_STORED)))),
        ("status", text(&|tool| Some(status(tool).to_owned()))),
        ("duration_ms", Column::BigInt(reported.iter().map(|(_, tool)| Some(tool.duration_ms)).collect())),
        ("error_message", text(&|tool| tool.error.clone().map(|error| truncated(error, MAX_ERROR)))),
        ("trace_id", text(&|tool| Some(tool.trace_id.clone()))),
        ("span_id", text(&|tool| Some(tool.span_id.clone()))),
        ("created_at", Column::Time(reported.iter().map(|(_, tool)| Some(tool.at)).collect())),
        ("updated_at", Column::Time(vec![Some(now); reported.len()])),
    ];
    tx.bulk(Bulk::of::<super::entity::Entity>(columns, OnConflict::Merge).without(&[
        "session_id",
        "turn_id",
        "message_id",
        "llm_call_id",
        "user_id",
    ]))
    .await
}
