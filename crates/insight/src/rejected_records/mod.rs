//! What could not be taken in: kept with why, to be mended and replayed.

pub mod entity;
mod keep;
pub(crate) mod routes;
mod service;
mod sweep;

pub(crate) use keep::NewRejected;
pub(crate) use sweep::Sweep;
