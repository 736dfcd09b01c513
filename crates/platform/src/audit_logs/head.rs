//! The end of a tenant's chain; locking it puts the tenant's changes in one order.

use loam_kernel::TenantId;
use sea_orm::entity::prelude::*;

/// The last link.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_heads", comment = "the end of a tenant's audit chain")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The tenant again: there is one head a tenant.
    #[sea_orm(primary_key, auto_increment = false, comment = "the tenant's own id: one row a tenant")]
    pub id: TenantId,
    /// The last row's place.
    #[sea_orm(comment = "sequence of the last row")]
    pub sequence: i64,
    /// The last row's hash.
    #[sea_orm(column_type = "Blob", comment = "hash of the last row")]
    pub hash: Vec<u8>,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
