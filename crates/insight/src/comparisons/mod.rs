//! Two versions of an application, side by side: what changed, how sure that is, and which endpoint got slower.

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
