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
pub mod system_config;
pub mod webhook_deliveries;

use loam_db::EntityShape;

/// The keys of the live configuration that this crate reads.
pub fn config_keys() -> loam_kernel::Result<Vec<system_config::Declaration>> {
    Ok(vec![
        api_logs::SETTINGS.declare()?,
        error_logs::SETTINGS.declare()?,
        records::RETENTION.declare()?,
        webhook_deliveries::DELIVERIES.declare()?,
    ])
}

/// The entities of this crate.
pub fn entities() -> Vec<EntityShape> {
    vec![
        EntityShape::of::<audit_logs::entity::Entity>(),
        EntityShape::of::<audit_logs::head::Entity>(),
        EntityShape::of::<drain::checkpoint::Entity>(),
        EntityShape::of::<quarantine::entity::Entity>(),
        EntityShape::of::<notices::entity::Entity>(),
        EntityShape::of::<api_logs::entity::Entity>(),
        EntityShape::of::<error_logs::entity::Entity>(),
        EntityShape::of::<error_logs::group::Entity>(),
        EntityShape::of::<system_config::entity::Entity>(),
        EntityShape::of::<system_config::versions::Entity>(),
        EntityShape::of::<webhook_deliveries::entity::Entity>(),
        EntityShape::of::<personal::erasure::Entity>(),
        EntityShape::of::<personal::erased::Entity>(),
    ]
}
