//! Values that applications measured: taken in, summed up, listed and charted.

mod accept;
mod bulk;
mod chart;
pub mod entity;
mod kind;
mod point;
pub(crate) mod routes;
mod series;
mod service;
mod settings;
mod sink;
mod sums;
#[cfg(test)]
mod tests;

pub(crate) use accept::TOO_MANY;
pub use kind::MetricKind;
pub(crate) use point::{Point, Tags, check_time};
pub(crate) use series::SeriesBook;
pub use settings::{METRICS, MetricSettings};
pub(crate) use sink::MetricSink;
