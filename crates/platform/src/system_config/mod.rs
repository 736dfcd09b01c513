//! Live configuration: values that are changed while the server runs, and seen everywhere within a second.
//!
//! A key is declared in code by the part that uses it ([`ConfigKey`]), with the schema of its value and its default. The
//! value that holds is the default, with what is set for the instance over it, with what is set for the tenant over
//! that, field by field.

mod declaration;
pub mod entity;
mod live;
mod merge;
pub mod routes;
mod service;
mod store;
#[cfg(test)]
mod tests;
pub mod versions;

pub use declaration::{ConfigKey, Declaration, Settings};
pub use live::{LiveConfig, SystemConfig};
pub use service::{Change, Level, ResolvedKey, Source};
