//! Ingest of telemetry: what all formats have in common, and Loam's record format.

mod activity;
mod batch;
mod body;
mod call_detail;
mod calls;
mod chunk;
mod endpoint;
mod functions;
mod layout;
pub(crate) mod limits;
mod meter;
mod msgpack;
mod receive;
mod record_error;
pub(crate) mod routes;
mod service;
pub(crate) mod settings;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod wire;
mod wire_call;
mod write_activity;

pub(crate) use activity::Activity;
pub(crate) use endpoint::endpoint;
pub(crate) use limits::TimeLimits;
pub(crate) use meter::Meter;
pub(crate) use record_error::RecordError;
pub(crate) use source::IngestSource;

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
    let times = TimeLimits { now, max_age_days: 28 };
    let context = chunk::Context { tenant, project, times, max_calls: 1000, defaults: &batch.defaults };
    let read = |record: &&[u8]| {
        _ = batch.document(record);
        batch::Batch::parse_item(format, record).and_then(|item| context.chunk_of(item)).is_ok()
    };
    batch.records.iter().filter(|record| read(record)).count()
}
