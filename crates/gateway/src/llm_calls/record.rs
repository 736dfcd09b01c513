//! A call as the journal keeps it: its fields as JSON, then the packed bodies.
//!
//! Intent and settlement have the same form. A settlement repeats the fields of the intent, so that either alone makes
//! a row, should the other be in another batch or in quarantine.

use chrono::{DateTime, Utc};
use loam_journal::Frame;
use loam_kernel::{ApiKeyId, Error, LlmCallId, NodeId, ProjectId, Result, TenantId, UserId};
use loam_providers::Usage;
use serde::{Deserialize, Serialize};

use super::entity::CallState;

/// The kind of a frame that says that a call begins.
pub(crate) const INTENT: u8 = 1;
/// The kind of a frame that says how a call ended.
pub(crate) const SETTLEMENT: u8 = 2;

/// Everything about a call but its bodies.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    pub(crate) tenant: TenantId,
    pub(crate) id: LlmCallId,
    pub(crate) node: NodeId,
    pub(crate) state: CallState,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<ApiKeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<ProjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<String>,
    pub(crate) request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) span_id: Option<String>,
    pub(crate) streamed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cost_nano_usd: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency_us: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_token_us: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) attempts: Vec<Attempt>,
    /// Microseconds since 1970.
    pub(crate) created_us: i64,
    /// Microseconds since 1970.
    pub(crate) updated_us: i64,
}

/// One try at one target.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// `provider/model`.
    pub(crate) target: String,
    /// HTTP status; none when there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Milliseconds until the head of the answer, or the failure.
    pub(crate) duration_ms: f64,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// A frame's content.
pub(crate) struct Entry {
    pub(crate) record: Record,
    pub(crate) request: Option<Vec<u8>>,
    pub(crate) response: Option<Vec<u8>>,
}

impl Record {
    pub(crate) fn created_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.created_us).unwrap_or_default()
    }

    pub(crate) fn updated_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.updated_us).unwrap_or_default()
    }

    /// The parts in front of the bodies: the lengths, then the fields.
    pub(crate) fn head(&self, request: &[u8]) -> Result<Vec<u8>> {
        let mut head = Vec::with_capacity(768);
        head.extend_from_slice(&[0; 8]);
        serde_json::to_writer(&mut head, self).map_err(Error::internal)?;
        let fields = u32::try_from(head.len() - 8).map_err(Error::internal)?;
        let request = u32::try_from(request.len()).map_err(Error::internal)?;
        head[..4].copy_from_slice(&fields.to_le_bytes());
        head[4..8].copy_from_slice(&request.to_le_bytes());
        Ok(head)
    }
}

impl Entry {
    /// Reads a frame.
    pub(crate) fn read(frame: &Frame) -> Result<Self> {
        let damaged = || Error::internal("a call's frame is damaged");
        let length = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).map(|n| n as usize).map_err(|_| damaged());
        let (lengths, rest) = frame.payload.split_at_checked(8).ok_or_else(damaged)?;
        let (fields, bodies) = rest.split_at_checked(length(&lengths[..4])?).ok_or_else(damaged)?;
        let (request, response) = bodies.split_at_checked(length(&lengths[4..])?).ok_or_else(damaged)?;
        let body = |bytes: &[u8]| (!bytes.is_empty()).then(|| bytes.to_vec());
        let record = serde_json::from_slice(fields).map_err(Error::internal)?;
        Ok(Self { record, request: body(request), response: body(response) })
    }

    /// Adds what came later: its fields are newer, but a body that it doesn't repeat stays.
    pub(crate) fn merge(&mut self, later: Self) {
        self.record = later.record;
        self.request = later.request.or(self.request.take());
        self.response = later.response.or(self.response.take());
    }
}
