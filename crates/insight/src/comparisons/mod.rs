//! Two versions of an application, side by side: what changed, how sure that is, and which endpoint got slower.

mod interval;
pub mod routes;
mod service;
mod sums;
#[cfg(test)]
mod tests;

pub(crate) use interval::{MIN_SAMPLES, Verdict};
pub use routes::ComparisonView;
pub use service::ComparisonQuery;
