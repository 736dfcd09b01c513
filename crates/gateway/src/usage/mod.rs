//! Usage, summed per minute, hour and day.

pub mod entity;
mod latency;
mod quantities;
pub(crate) mod rollup;
pub mod routes;
pub mod service;
pub mod statement;

pub use entity::Granularity;
pub(crate) use latency::LATENCY;
