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

use std::sync::Arc;

use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_gateway::Gateway;
use loam_identity::Identity;
use loam_journal::Journal;
use loam_kernel::{Clock, Error, ProjectId, Result, TenantId};
use loam_platform::changes::Changes;
use loam_platform::system_config::LiveConfig;

use crate::otlp::settings::OtlpSettings;
use crate::performance_metrics::series::SeriesLimiter;
use crate::performance_metrics::settings::MetricSettings;
use crate::trace::TraceChunk;
use activity::Activity;
use meter::Meter;
use settings::IngestSettings;

pub(crate) use endpoint::endpoint;
pub(crate) use limits::TimeLimits;
pub(crate) use record_error::RecordError;
pub(crate) use source::{IngestSource, ProjectSelector};

/// Receives telemetry. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Ingest(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    pub(crate) gateway: Gateway,
    /// None on the command line, which ingests nothing.
    pub(crate) journal: Option<Journal>,
    pub(crate) settings: LiveConfig<IngestSettings>,
    pub(crate) otlp: LiveConfig<OtlpSettings>,
    pub(crate) metrics: LiveConfig<MetricSettings>,
    pub(crate) series: SeriesLimiter,
    meter: Meter,
    activity: Activity,
}

/// The dependencies of [`Ingest`].
pub(crate) struct Parts {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    pub(crate) gateway: Gateway,
    pub(crate) journal: Option<Journal>,
    pub(crate) settings: LiveConfig<IngestSettings>,
    pub(crate) otlp: LiveConfig<OtlpSettings>,
    pub(crate) metrics: LiveConfig<MetricSettings>,
}

impl Ingest {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { db, clock, changes, identity, gateway, journal, settings, otlp, metrics } = parts;
        Self(Arc::new(Inner {
            series: SeriesLimiter::new(db.clone()),
            db,
            clock,
            changes,
            identity,
            gateway,
            journal,
            settings,
            otlp,
            metrics,
            meter: Meter::default(),
            activity: Activity::default(),
        }))
    }
}

/// Maximum age of imported records, in days.
const MAX_IMPORTED_AGE_DAYS: u32 = 3660;

/// Converts a document of the record format.
pub(crate) fn chunk_of_document(
    document: &[u8],
    (tenant, project): (TenantId, ProjectId),
    now: DateTime<Utc>,
) -> Result<TraceChunk> {
    let times = TimeLimits { now, max_age_days: MAX_IMPORTED_AGE_DAYS };
    let defaults = batch::Defaults::default();
    let context = chunk::Context { tenant, project, times, max_calls: usize::MAX, defaults: &defaults };
    let item = batch::Batch::parse_item(batch::Format::Json, document);
    let chunk = item.and_then(|item| context.chunk_of(item));
    chunk.map_err(|e| Error::invalid(e.param.unwrap_or_default(), e.message))
}

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
