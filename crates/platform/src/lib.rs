//! What every domain stands on: the audit trail, sealed secrets, notices of change, and the drainer that moves the
//! journal into the database.
//!
//! Belongs here: services of the whole instance that know no domain. Does not belong here: users, models or calls.

pub mod audit_logs;
pub mod drain;
pub mod notices;
pub mod pack;
pub mod quarantine;
pub mod seal;

use loam_db::EntityShape;

/// The entities of this crate.
pub fn entities() -> Vec<EntityShape> {
    vec![
        EntityShape::of::<audit_logs::entity::Entity>(),
        EntityShape::of::<audit_logs::head::Entity>(),
        EntityShape::of::<drain::checkpoint::Entity>(),
        EntityShape::of::<quarantine::entity::Entity>(),
        EntityShape::of::<notices::entity::Entity>(),
    ]
}
