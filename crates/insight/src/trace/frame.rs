//! Parts of traces as the journal keeps them: whose they are, then the packed bytes, which the database keeps as they
//! are.

use chrono::{DateTime, Utc};
use loam_journal::Frame;
use loam_kernel::{Error, ProjectId, Result, TenantId};
use serde::{Deserialize, Serialize};

use super::pack::pack;
use super::part::{Call, Part};

/// The kind of a frame with a part of a trace.
pub(crate) const RECORDS: u8 = 48;

/// What is to be known of a part before it is opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) tenant: TenantId,
    pub(crate) project: ProjectId,
    pub(crate) trace_id: String,
    /// How many calls there are.
    pub(crate) calls: u32,
    /// When the first began, in nanoseconds since 1970.
    pub(crate) begin_ns: i64,
    /// When the last ended.
    pub(crate) end_ns: i64,
}

impl Head {
    pub(crate) fn of(part: &Part) -> Self {
        let (tenant, project, trace_id) = (part.tenant, part.project, part.trace_id.clone());
        Self { tenant, project, trace_id, calls: 0, begin_ns: 0, end_ns: 0 }.with(&part.calls)
    }

    /// The same of other calls of the trace.
    pub(crate) fn with(self, calls: &[Call]) -> Self {
        let ends = calls.iter().map(|call| call.start_ns.saturating_add_unsigned(call.duration_ns));
        let begin_ns = calls.iter().map(|call| call.start_ns).min().unwrap_or_default();
        let count = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        Self { calls: count, begin_ns, end_ns: ends.max().unwrap_or(begin_ns), ..self }
    }

    pub(crate) fn begin(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.begin_ns)
    }
}

/// A part, packed: its head, and what is kept.
pub(crate) fn packed(part: &Part) -> Result<(Head, Vec<u8>)> {
    let entries = part.entries.iter().map(|entry| (part.source, entry));
    Ok((Head::of(part), pack(entries, &part.calls)?))
}

/// A part as a frame's payload.
pub(crate) fn write(part: &Part) -> Result<Vec<u8>> {
    let (head, packed) = packed(part)?;
    let mut payload = postcard::to_allocvec(&head).map_err(Error::internal)?;
    payload.extend_from_slice(&packed);
    Ok(payload)
}

/// The head of a frame, and its packed bytes.
pub(crate) fn read(frame: &Frame) -> Result<(Head, &[u8])> {
    postcard::take_from_bytes(&frame.payload).map_err(Error::internal)
}
