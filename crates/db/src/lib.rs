//! The data layer: one set of entities and migrations on SQLite and PostgreSQL, reached through a [`Scope`].
//!
//! Belongs here: connections, transactions, tenant isolation, migrations, partitions, bulk writes, and every branch on
//! the dialect. Does not belong here: an entity, or a rule of one resource.
//!
//! Every access to a tenant's table is isolated: [`Tx`] has a private connection, and every statement that it builds
//! contains the tenant of its [`Scope`]. On PostgreSQL row-level security enforces the same a second time.
//!
//! [`Scope`]: loam_kernel::Scope

mod bulk;
mod bulk_models;
mod bulk_update;
mod check;
mod claim;
mod conn;
mod connect;
mod docs;
mod erase;
mod error;
mod find;
mod idempotency;
mod isolation;
mod many;
mod migrate;
mod migrations;
mod objects;
mod old;
mod ordered_json;
mod overwrite;
mod partitions;
mod privileges;
mod revision;
mod schema;
mod status;
mod tx;

pub use bulk::{Bulk, Column, Fold, OnConflict};
pub use check::{EntityShape, compare};
pub use conn::log_slower_than;
pub use connect::{Config, Db, Dialect, PoolUse};
pub use docs::{data_dictionary, entity_diagram};
pub use error::{already_exists, is_foreign_key_violation, is_transient, is_unique_violation, map_err};
pub use find::{Find, SortKey, TenantEntity};
pub use idempotency::{IdempotencyKeys, SealedResponse, StoredRequest};
pub use isolation::Containment;
pub use migrate::{MigrationState, SchemaStatus};
pub use objects::{compare_objects, objects};
pub use ordered_json::OrderedJson;
pub use overwrite::{Overwritten, OverwrittenTable, TruncatedLog};
pub use partitions::PARTITIONED;
pub use revision::new_revision;
pub use schema::print_schema;
pub use status::{PartitionUse, slow_statements};
pub use tx::{System, Tenant, Tx};

/// Declares that an entity belongs to tenants: which column holds the tenant, and which the id that lists are sorted by.
#[macro_export]
macro_rules! tenant_entity {
    ($entity:ty, $tenant:expr, $id:expr) => {
        impl $crate::TenantEntity for $entity {
            const TENANT: <$entity as ::sea_orm::EntityTrait>::Column = $tenant;
            const ID: <$entity as ::sea_orm::EntityTrait>::Column = $id;
        }
    };
}
