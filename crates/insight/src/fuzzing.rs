//! Entries for fuzzing: bytes from outside through everything that reads them before the journal.

use chrono::DateTime;
use loam_kernel::{ProjectId, TenantId};
use uuid::Uuid;

use crate::{ingest, otlp};

/// A time that the checks of age go by, so that a run can be repeated.
fn now() -> chrono::DateTime<chrono::Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default()
}

/// An OTLP request with spans or, with `metrics`, with values of metrics; true when it was read.
pub fn otlp_request(bytes: &[u8], json: bool, metrics: bool) -> bool {
    otlp::fuzz(bytes, json, metrics, now())
}

/// A batch of performance records, as JSON or MessagePack; the number of records that were read.
pub fn record_batch(bytes: &[u8], json: bool) -> usize {
    ingest::fuzz(bytes, json, now(), (TenantId(Uuid::nil()), ProjectId(Uuid::nil())))
}
