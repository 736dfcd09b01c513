//! Insight: performance monitoring of applications: telemetry, statistics, diagnosis, alerts and comparisons.
//!
//! Belongs here: requests of applications with their call trees, sums over them, diagnoses, alerts and metrics. Does not
//! belong here: calls to models (`loam-gateway`), or projects (`loam-identity`).

// for optimized builds: the futures of ingestion contain those of the database, 130 levels deep
#![recursion_limit = "256"]

pub mod alert_events;
pub mod alert_rules;
mod alerts;
pub mod analyses;
mod call_trees;
pub mod comparisons;
mod domain;
#[cfg(test)]
mod fixture;
pub mod function_calls;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod imported_records;
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

pub use ingest::settings::{INGEST, IngestSettings};
pub use otlp::{OTLP, OtlpSettings, error_shape as otlp_error_shape};
pub use performance_metrics::{METRICS, MetricSettings};
pub use records::{STORAGE, StorageSettings};
pub use service::{Insight, Parts};
