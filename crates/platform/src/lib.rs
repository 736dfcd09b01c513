//! What every domain stands on: the audit trail, sealed secrets, live configuration, notices of change, caches, records
//! of requests and errors, deliveries to other servers, e-mail, and the drainer that moves the journal into the database.
//!
//! Belongs here: services of the whole instance that know no domain. Does not belong here: users, models or calls.

pub mod api_logs;
pub mod audit_logs;
pub mod cache;
pub mod changes;
pub mod database;
pub mod deleted;
pub mod domain;
pub mod drain;
pub mod error_logs;
pub mod mail;
pub mod notices;
mod operators;
pub mod origin;
pub mod pack;
pub mod personal;
pub mod quarantine;
pub mod records;
pub mod schema;
pub mod seal;
mod service;
pub mod sketch;
pub mod stored_format;
pub mod system_config;
pub mod varint;
pub mod webhook_deliveries;

pub use service::Platform;
