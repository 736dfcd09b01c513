//! Ingest of telemetry in Loam's record format.

mod activity;
mod batch;
mod body;
mod chunk;
mod endpoint;
mod functions;
mod meter;
mod msgpack;
mod record_error;
pub(crate) mod routes;
mod service;
pub(crate) mod settings;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod wire;
mod write_activity;

pub(crate) use activity::Activity;
pub(crate) use meter::Meter;
pub(crate) use record_error::RecordError;
pub(crate) use source::{IngestSource, project_header};

/// Splits a batch and decodes its records without storing them; returns the number of valid records.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(
    bytes: &[u8],
    json: bool,
    now: chrono::DateTime<chrono::Utc>,
    (tenant, project): (loam_kernel::TenantId, loam_kernel::ProjectId),
) -> usize {
    let format = if json { batch::Format::Json } else { batch::Format::MessagePack };
    let Ok(batch) = batch::Batch::split(format, bytes) else { return 0 };
    let context = chunk::Context { tenant, project, now, max_calls: 1000, defaults: &batch.defaults };
    let read = |record: &&[u8]| {
        _ = batch.document(record);
        batch::Batch::parse_record(format, record).and_then(|record| context.chunk(record)).is_ok()
    };
    batch.records.iter().filter(|record| read(record)).count()
}
