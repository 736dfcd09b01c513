//! Metric values: ingest, statistics, lists and charts.

mod bulk;
mod chart;
pub mod entity;
mod journal;
mod kind;
mod names;
mod point;
pub(crate) mod routes;
pub(crate) mod series;
mod service;
pub(crate) mod settings;
mod sink;
mod sums;
#[cfg(test)]
mod tests;

pub(crate) use journal::TOO_MANY_SERIES;
pub use kind::MetricKind;
pub(crate) use point::{METRIC_POINTS_FRAME, Point, Tags};
pub use settings::{METRICS, MetricSettings};
pub(crate) use sink::MetricSink;
