//! A user.

use loam_kernel::{TenantId, UserId};
use sea_orm::entity::prelude::*;

/// A user of a tenant.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "users", comment = "a person or service with an account in a tenant")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// Login name.
    #[sea_orm(column_type = "Text", comment = "login name; unique in the tenant")]
    pub username: String,
    /// E-mail address.
    #[sea_orm(column_type = "Text", comment = "e-mail address; unique in the tenant")]
    pub email: String,
    /// The password's hash.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "Argon2id, or bcrypt until the first log-in of an imported user; null: no log-in with a password"
    )]
    pub password_hash: Option<String>,
    /// When another user set the password.
    #[sea_orm(comment = "set: the password was set by somebody else and must be changed at the next log-in")]
    pub password_reset_at: Option<DateTimeUtc>,
    /// Full name.
    #[sea_orm(column_type = "Text", nullable)]
    pub full_name: Option<String>,
    /// Roles.
    #[sea_orm(column_type = "JsonBinary", comment = "names of roles")]
    pub roles: Json,
    /// The application's own id.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "the application's own id of this user; unique in the tenant"
    )]
    pub external_id: Option<String>,
    /// Whether the user is active.
    #[sea_orm(comment = "false: the user and the user's keys are disabled")]
    pub is_active: bool,
    /// The caller's own data.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own data, which Loam does not interpret")]
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
