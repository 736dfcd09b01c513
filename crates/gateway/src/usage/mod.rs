//! Usage, summed per minute, hour and day.

pub mod entity;
pub(crate) mod rollup;
pub mod routes;
pub mod service;
pub mod statement;
