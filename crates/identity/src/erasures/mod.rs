//! Erasures: all data about a person, a conversation or a tenant is deleted from every location, by a durable job that
//! ends with a signed receipt.
//!
//! Each crate declares its own locations ([`loam_platform::personal::PersonalDataStore`]); the server collects them.
//! Erasures and exports use the same list.

mod data_locations;
mod overwrite;
mod receipt;
mod request_records;
pub mod routes;
mod run;
pub mod service;
mod tenant;

pub use data_locations::{DataLocations, DrainProgress};
pub use run::RunErasure;
