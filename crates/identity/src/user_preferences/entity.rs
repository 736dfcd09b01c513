//! A preference.

use loam_kernel::{TenantId, UserId, UserPreferenceId};
use sea_orm::entity::prelude::*;

/// What a user prefers.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "user_preferences", comment = "what a user prefers, by key")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The preference.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserPreferenceId,
    /// Whose it is.
    pub user_id: UserId,
    /// Its name.
    #[sea_orm(column_type = "Text", comment = "unique for the user")]
    pub key: String,
    /// What is preferred.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "as it was set; of a declared key, what is left out is the default"
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
