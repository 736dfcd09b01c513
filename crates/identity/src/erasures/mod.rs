//! Erasures: everything of a person, a conversation or a tenant is removed from every place that may have it, by a durable
//! job that ends in a signed receipt.
//!
//! Which places there are says each crate of its own ([`loam_platform::personal::Store`]); the server puts the list
//! together. A place added there is covered by erasures and exports alike.

mod overwrite;
mod places;
mod receipt;
pub mod routes;
mod run;
pub mod service;
mod tenant;
mod trail;

pub use places::{Draining, Places};
pub use run::RunErasure;
