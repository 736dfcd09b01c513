//! The payload of the journal frames with errors of log records.

use chrono::{DateTime, Utc};
use loam_kernel::{Error, ErrorLogId, ProjectId, Result, TenantId};
use loam_platform::error_logs::{ErrorSource, ReportedError};
use loam_platform::stored_format::StoredFormat;
use serde::{Deserialize, Serialize};

/// The payload of a frame.
pub(crate) const REPORTED_ERRORS_FRAME: StoredFormat = StoredFormat::new("reported_errors_frame", 1);

#[derive(Serialize, Deserialize)]
struct StoredFrame {
    tenant: TenantId,
    errors: Vec<StoredError>,
}

#[derive(Serialize, Deserialize)]
struct StoredError {
    id: ErrorLogId,
    project: ProjectId,
    trace_id: Option<String>,
    kind: String,
    message: String,
    stack: Option<String>,
    /// JSON.
    context: String,
    at: DateTime<Utc>,
}

/// The content of a frame.
#[derive(Debug)]
pub(super) struct ErrorFrame {
    pub(super) tenant: TenantId,
    pub(super) errors: Vec<ReportedError>,
}

/// Encodes a frame.
pub(super) fn encode(frame: ErrorFrame) -> Result<Vec<u8>> {
    let stored = |error: ReportedError| StoredError {
        id: error.id,
        project: error.project,
        trace_id: error.trace_id,
        kind: error.kind,
        message: error.message,
        stack: error.stack,
        context: error.context.to_string(),
        at: error.at,
    };
    let errors = frame.errors.into_iter().map(stored).collect();
    REPORTED_ERRORS_FRAME.encode(&StoredFrame { tenant: frame.tenant, errors })
}

/// Decodes a frame.
pub(super) fn decode(payload: &[u8]) -> Result<ErrorFrame> {
    let (_, body) = REPORTED_ERRORS_FRAME.open(payload)?;
    let StoredFrame { tenant, errors } = REPORTED_ERRORS_FRAME.decode(body)?;
    let read = |stored: StoredError| -> Result<ReportedError> {
        Ok(ReportedError {
            tenant,
            id: stored.id,
            project: stored.project,
            source: ErrorSource::Log,
            trace_id: stored.trace_id,
            record_id: None,
            endpoint: None,
            kind: stored.kind,
            message: stored.message,
            stack: stored.stack,
            context: serde_json::from_str(&stored.context).map_err(Error::internal)?,
            at: stored.at,
        })
    };
    Ok(ErrorFrame { tenant, errors: errors.into_iter().map(read).collect::<Result<_>>()? })
}
