//! Prices of models.

pub mod entity;
mod price;
pub mod routes;
pub mod service;

pub use price::Price;
pub(crate) use price::from_usd;
