//! A user.

use loam_kernel::{TenantId, UserId};
use sea_orm::entity::prelude::*;

/// Somebody who belongs to one tenant.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "users", comment = "somebody who belongs to one tenant")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// The name to log in with.
    #[sea_orm(column_type = "Text", comment = "name to log in with; unique in the tenant")]
    pub username: String,
    /// The address.
    #[sea_orm(column_type = "Text", comment = "unique in the tenant")]
    pub email: String,
    /// The password's hash.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "Argon2id, or bcrypt until the first log-in of an imported user; null: no log-in with a password"
    )]
    pub password_hash: Option<String>,
    /// When somebody else set the password.
    #[sea_orm(
        comment = "set: the password was made by somebody else, and must be changed at the next log-in"
    )]
    pub password_reset_at: Option<DateTimeUtc>,
    /// The name for people.
    #[sea_orm(column_type = "Text", nullable)]
    pub full_name: Option<String>,
    /// What the user may do.
    #[sea_orm(column_type = "JsonBinary", comment = "names of roles")]
    pub roles: Json,
    /// The application's own id.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "the application's own id of this user; unique in the tenant"
    )]
    pub external_id: Option<String>,
    /// Whether the user and the user's keys work.
    #[sea_orm(comment = "false: neither the user nor the user's keys work")]
    pub is_active: bool,
    /// The caller's own.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own; never interpreted")]
    pub metadata: Json,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
