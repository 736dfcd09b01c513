//! Taking in what applications send.

mod activity;
mod batch;
mod body;
mod endpoint;
mod fault;
mod functions;
mod meter;
mod msgpack;
mod part;
pub(crate) mod routes;
mod sender;
pub(crate) mod settings;
mod take;
#[cfg(test)]
mod tests;
mod text;
mod wire;

pub(crate) use activity::Activity;
pub(crate) use fault::Fault;
pub(crate) use meter::Meter;
pub(crate) use sender::{Sender, named};

/// Cuts a batch and reads its records, without keeping them; the number of those that were read.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(
    bytes: &[u8],
    json: bool,
    now: chrono::DateTime<chrono::Utc>,
    (tenant, project): (loam_kernel::TenantId, loam_kernel::ProjectId),
) -> usize {
    let format = if json { batch::Format::Json } else { batch::Format::MessagePack };
    let Ok(batch) = batch::Batch::cut(format, bytes) else { return 0 };
    let context = part::Context { tenant, project, now, max_calls: 1000, defaults: &batch.defaults };
    let read = |record: &&[u8]| {
        _ = batch.document(record);
        batch::Batch::read(format, record).and_then(|record| context.part(record)).is_ok()
    };
    batch.records.iter().filter(|record| read(record)).count()
}
