//! Signing keys, which sign Loam's own tokens.

pub mod entity;
mod jobs;
mod keyset;
pub mod routes;
pub mod service;

pub use jobs::RotateSigningKeys;
pub(crate) use keyset::SigningKeys;
