//! Signing keys: what Loam's own tokens are signed with, one after the other.

pub mod entity;
mod jobs;
mod keyset;
pub mod routes;
pub mod service;

pub use jobs::RotateSigningKeys;
pub(crate) use keyset::SigningKeys;
