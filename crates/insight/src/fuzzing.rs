//! Entry points for fuzzing: untrusted bytes through all decoders in front of the journal.

use chrono::DateTime;
use loam_kernel::{ProjectId, TenantId};
use uuid::Uuid;

use crate::{ingest, otlp};

/// The time that age checks use, fixed so that runs are reproducible.
fn now() -> chrono::DateTime<chrono::Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap_or_default()
}

/// Decodes an OTLP request with spans or, with `metrics`, with metrics; returns whether it was valid.
pub fn otlp_request(bytes: &[u8], json: bool, metrics: bool) -> bool {
    otlp::fuzz(bytes, json, metrics, now())
}

/// Decodes a batch of performance records, as JSON or MessagePack; returns the number of valid records.
pub fn record_batch(bytes: &[u8], json: bool) -> usize {
    ingest::fuzz(bytes, json, now(), (TenantId(Uuid::nil()), ProjectId(Uuid::nil())))
}
