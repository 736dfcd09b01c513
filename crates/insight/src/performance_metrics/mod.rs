//! Values that applications measured.

pub mod entity;
mod kind;

pub use kind::MetricKind;
