//! The binary: configuration, command line, composition.
//!
//! Belongs here: what puts the parts together, and what every request passes. Does not belong here: a rule of a
//! resource.

pub mod cli;
mod composition;
mod config;
mod connections;
mod docs;
mod domain;
mod error_tap;
mod file_modes;
mod limits;
mod listen;
mod logging;
mod maintenance;
mod memory;
mod personal;
mod serve;
mod services;
mod surface;

pub use composition::{entities, sealed, stored_formats};
pub use config::Config;
pub use docs::{openapi, openapi_text};
