//! Errors that are alike.

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
    /// The group, made from the fingerprint.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ErrorGroupId,
    /// What they have in common.
    #[sea_orm(column_type = "Text", comment = "fingerprint of its errors")]
    pub fingerprint: String,
    /// Their kind.
    #[sea_orm(column_type = "Text", comment = "type of its errors")]
    pub error_type: String,
    /// What the last one said.
    #[sea_orm(column_type = "Text", comment = "message of the last error")]
    pub error_message: String,
    /// How many.
    #[sea_orm(comment = "how many there were, deleted ones included")]
    pub count: i64,
    /// The last one.
    #[sea_orm(comment = "the last error")]
    pub last_error_id: ErrorLogId,
    /// When the first one was.
    #[sea_orm(comment = "when the first one was")]
    pub first_seen: DateTimeUtc,
    /// When the last one was.
    #[sea_orm(comment = "when the last one was")]
    pub last_seen: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
