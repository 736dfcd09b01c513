//! A preference.

use loam_kernel::{TenantId, UserId, UserPreferenceId};
use sea_orm::entity::prelude::*;

/// A preference of a user.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "user_preferences", comment = "a user's preference, by key")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The preference.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserPreferenceId,
    /// The user.
    pub user_id: UserId,
    /// Key.
    #[sea_orm(column_type = "Text", comment = "unique for the user")]
    pub key: String,
    /// Value.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "value as set; for a declared key, omitted fields have their defaults"
    )]
    pub value: Json,
    /// When it was first set.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
