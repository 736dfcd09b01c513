//! Insight: performance monitoring of applications: telemetry, statistics, diagnosis, alerts and comparisons.
//!
//! Belongs here: requests of applications with their call trees, sums over them, diagnoses, alerts and metrics. Does not
//! belong here: calls to models (`loam-gateway`), or projects (`loam-identity`).

pub mod alert_events;
pub mod alert_rules;
mod alerts;
pub mod analyses;
mod call_trees;
pub mod comparisons;
#[cfg(test)]
mod fixture;
pub mod function_calls;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ingest;
mod otlp;
mod performance_metrics;
pub mod performance_records;
pub mod personal;
mod record_functions;
mod records;
mod redact;
mod rejected_records;
pub mod rules;
mod service;
pub mod stats;
pub mod suggestions;
mod trace;

use loam_db::EntityShape;
use loam_kernel::Result;
use loam_platform::seal::{SealedTable, rows};
use loam_platform::system_config::Declaration;

pub use ingest::settings::{INGEST, IngestSettings};
pub use otlp::{OTLP, OtlpSettings, error_shape as otlp_error_shape};
pub use performance_metrics::{METRICS, MetricSettings};
pub use records::{STORAGE, StorageSettings};
pub use service::{Insight, Parts};

/// The tables of this crate with encrypted values.
pub fn sealed() -> Vec<Box<dyn SealedTable>> {
    vec![rows::<alert_rules::entity::Entity>()]
}

/// The entities of this crate.
pub fn entities() -> Vec<EntityShape> {
    let mut all = vec![
        EntityShape::of::<performance_records::entity::Entity>(),
        EntityShape::of::<call_trees::entity::Entity>(),
        EntityShape::of::<record_functions::entity::Entity>(),
        EntityShape::of::<performance_metrics::entity::Entity>(),
        EntityShape::of::<rejected_records::entity::Entity>(),
        EntityShape::of::<stats::endpoints::Entity>(),
        EntityShape::of::<stats::functions::Entity>(),
        EntityShape::of::<stats::metrics::Entity>(),
        EntityShape::of::<stats::names::Entity>(),
        EntityShape::of::<alert_rules::entity::Entity>(),
        EntityShape::of::<alert_events::entity::Entity>(),
        EntityShape::of::<suggestions::entity::Entity>(),
    ];
    all.extend(analyses::entities());
    all
}

/// The live configuration keys of this crate.
pub fn config_keys() -> Result<Vec<Declaration>> {
    Ok(vec![
        alert_rules::ALERT_RULES.declare()?,
        rules::RULES.declare()?,
        analyses::ANALYSIS.declare()?,
        OTLP.declare()?,
        METRICS.declare()?,
        STORAGE.declare()?,
        INGEST.declare()?,
    ])
}
