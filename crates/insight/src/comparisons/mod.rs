//! Comparison of two versions of an application: changes with confidence intervals, and regressions.

mod gains;
mod interval;
pub mod routes;
mod service;
mod sums;
#[cfg(test)]
mod tests;

pub(crate) use gains::MeasureGains;
pub use routes::ComparisonView;
pub use service::ComparisonQuery;
