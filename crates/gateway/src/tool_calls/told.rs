//! Uses of tools that applications tell of.

use chrono::{DateTime, Utc};
use loam_db::{Bulk, Column, OnConflict, System, Tx};
use loam_kernel::{Result, TenantId, ToolCallId};
use serde::{Deserialize, Serialize};

use super::service::{MAX_ERROR, MAX_KEPT, kept};

/// A use of a tool that an application tells of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToldTool {
    /// Its id, of the moment `at`; the same each time it is told of.
    pub id: ToolCallId,
    /// When it began.
    pub at: DateTime<Utc>,
    /// The model's own id of it, else the span's.
    pub call_id: String,
    /// Name of the tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: String,
    /// What it gave.
    pub result: Option<String>,
    /// What went wrong; none if nothing did.
    pub error: Option<String>,
    /// Milliseconds it took.
    pub duration_ms: i64,
    /// W3C trace id.
    pub trace_id: String,
    /// W3C id of the span.
    pub span_id: String,
}

/// Writes uses of tools, each once however often it is told of.
///
/// # Errors
/// When a month of theirs has no partition, or what the database says.
pub async fn write_told(
    tx: &Tx<System>,
    now: DateTime<Utc>,
    mut told: Vec<(TenantId, ToldTool)>,
) -> Result<()> {
    told.sort_by_key(|(tenant, tool)| (*tenant, tool.id));
    told.dedup_by_key(|(tenant, tool)| (*tenant, tool.id));
    let text = |field: &dyn Fn(&ToldTool) -> Option<String>| {
        Column::Text(told.iter().map(|(_, tool)| field(tool)).collect())
    };
    let status = |tool: &ToldTool| if tool.error.is_none() { "succeeded" } else { "failed" };
    let columns = vec![
        ("tenant_id", Column::Uuid(told.iter().map(|(tenant, _)| Some(tenant.0)).collect())),
        ("id", Column::Uuid(told.iter().map(|(_, tool)| Some(tool.id.0)).collect())),
        ("call_id", text(&|tool| Some(kept(tool.call_id.clone(), MAX_KEPT)))),
        ("tool_name", text(&|tool| Some(kept(tool.tool.clone(), MAX_KEPT)))),
        ("tool_args", text(&|tool| Some(kept(tool.arguments.clone(), MAX_KEPT)))),
        ("result", text(&|tool| tool.result.clone().map(|result| kept(result, MAX_KEPT)))),
        ("status", text(&|tool| Some(status(tool).to_owned()))),
        ("duration_ms", Column::BigInt(told.iter().map(|(_, tool)| Some(tool.duration_ms)).collect())),
        ("error_message", text(&|tool| tool.error.clone().map(|error| kept(error, MAX_ERROR)))),
        ("trace_id", text(&|tool| Some(tool.trace_id.clone()))),
        ("span_id", text(&|tool| Some(tool.span_id.clone()))),
        ("created_at", Column::Time(told.iter().map(|(_, tool)| Some(tool.at)).collect())),
        ("updated_at", Column::Time(vec![Some(now); told.len()])),
    ];
    tx.bulk(Bulk { table: "tool_calls", columns, on_conflict: OnConflict::Merge }).await
}
