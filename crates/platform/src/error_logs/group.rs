//! A group of similar errors.

use loam_kernel::{ErrorGroupId, ErrorLogId, TenantId};
use sea_orm::entity::prelude::*;

/// Errors with one fingerprint.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "error_groups",
    comment = "errors with one fingerprint; counted in the transaction that writes the errors"
)]
pub struct Model {
    /// The tenant; nil for the instance's own.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The group, derived from the fingerprint.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ErrorGroupId,
    /// Fingerprint.
    #[sea_orm(column_type = "Text", comment = "fingerprint of its errors")]
    pub fingerprint: String,
    /// Type.
    #[sea_orm(column_type = "Text", comment = "type of its errors")]
    pub error_type: String,
    /// Message of the last error.
    #[sea_orm(column_type = "Text", comment = "message of the last error")]
    pub error_message: String,
    /// Number of errors.
    #[sea_orm(comment = "number of errors, including deleted ones")]
    pub count: i64,
    /// The last error.
    #[sea_orm(comment = "the last error")]
    pub last_error_id: ErrorLogId,
    /// Time of the first error.
    #[sea_orm(comment = "time of the first error")]
    pub first_seen: DateTimeUtc,
    /// Time of the last error.
    #[sea_orm(comment = "time of the last error")]
    pub last_seen: DateTimeUtc,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
