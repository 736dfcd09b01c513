//! An API key.

use loam_kernel::{ApiKeyId, ProjectId, TenantId, UserId};
use sea_orm::entity::prelude::*;

/// A credential; the key itself is not stored.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys", comment = "a credential of an application; the key itself is not stored")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The key's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    /// Display name.
    #[sea_orm(column_type = "Text", comment = "display name")]
    pub name: String,
    /// Prefix of the key.
    #[sea_orm(column_type = "Text", comment = "prefix of the key, for recognition")]
    pub prefix: String,
    /// The key's digest.
    #[sea_orm(column_type = "Blob", comment = "SHA-256 of the key")]
    pub key_hash: Vec<u8>,
    /// Permissions.
    #[sea_orm(column_type = "JsonBinary", comment = "permissions; `*` for all")]
    pub scopes: Json,
    /// The owner.
    #[sea_orm(comment = "user it belongs to; it is valid while the user is active")]
    pub user_id: Option<UserId>,
    /// The project.
    #[sea_orm(comment = "project whose calls it makes")]
    pub project_id: Option<ProjectId>,
    /// The creator's tenant.
    #[sea_orm(comment = "tenant of the creator; null if the instance created it")]
    pub maker_tenant_id: Option<TenantId>,
    /// The creating user.
    #[sea_orm(comment = "user who created it and whose current permissions limit it")]
    pub maker_user_id: Option<UserId>,
    /// The creating key.
    #[sea_orm(comment = "key that created it and whose current permissions limit it")]
    pub maker_key_id: Option<ApiKeyId>,
    /// Whether it is an operator key.
    #[sea_orm(
        comment = "whether a key without a user is an operator key; null for keys from before this column"
    )]
    pub is_operator: Option<bool>,
    /// Web origins.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "web origins whose pages can use it; null: those of the instance"
    )]
    pub allowed_origins: Option<Json>,
    /// Expiry time.
    #[sea_orm(comment = "expiry time; null: never")]
    pub expires_at: Option<DateTimeUtc>,
    /// Time of the last use.
    #[sea_orm(comment = "time of the last use, accurate to half a minute")]
    pub last_used_at: Option<DateTimeUtc>,
    /// Time of revocation.
    #[sea_orm(comment = "time of revocation; set: the key is invalid")]
    pub revoked_at: Option<DateTimeUtc>,
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
