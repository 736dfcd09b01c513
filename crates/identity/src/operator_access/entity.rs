//! A marker of an operator's access to a tenant.

use loam_kernel::TenantId;
use sea_orm::entity::prelude::*;

/// An operator acted in this tenant within an hour; stored for a day, so that it is audited once per hour.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "tenant_openings",
    comment = "an operator acted in this tenant within an hour; stored for a day, so that it is audited once per hour"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The operator.
    #[sea_orm(column_type = "Text", comment = "the operator, as in the audit trail")]
    pub operator: String,
    /// The hour.
    #[sea_orm(comment = "the beginning of the hour")]
    pub hour: DateTimeUtc,
    /// When.
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
