//! An API key.

use loam_kernel::{ApiKeyId, ProjectId, TenantId, UserId};
use sea_orm::entity::prelude::*;

/// A credential; the key itself is not kept.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys", comment = "a credential of an application; the key itself is not kept")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The key's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    /// The name for people.
    #[sea_orm(column_type = "Text", comment = "name for people")]
    pub name: String,
    /// The beginning of the key.
    #[sea_orm(column_type = "Text", comment = "beginning of the key, to recognise it by")]
    pub prefix: String,
    /// The key's digest.
    #[sea_orm(column_type = "Blob", comment = "SHA-256 of the key")]
    pub key_hash: Vec<u8>,
    /// What it may do.
    #[sea_orm(column_type = "JsonBinary", comment = "permissions; `*` is everything")]
    pub scopes: Json,
    /// Whose it is.
    #[sea_orm(comment = "user it belongs to; it works while the user does")]
    pub user_id: Option<UserId>,
    /// What it is for.
    #[sea_orm(comment = "project whose calls it makes")]
    pub project_id: Option<ProjectId>,
    /// The tenant of who made it.
    #[sea_orm(comment = "tenant of who made it; null when the instance did")]
    pub maker_tenant_id: Option<TenantId>,
    /// The user who made it.
    #[sea_orm(comment = "user who made it, whose rights at the time bound it")]
    pub maker_user_id: Option<UserId>,
    /// The key that made it.
    #[sea_orm(comment = "key that made it, whose rights at the time bound it")]
    pub maker_key_id: Option<ApiKeyId>,
    /// Whether it is an operator's.
    #[sea_orm(comment = "whether a key of no user is an operator's; null of keys from before that was kept")]
    pub is_operator: Option<bool>,
    /// When it ends.
    #[sea_orm(comment = "when it stops being valid; null when it never does")]
    pub expires_at: Option<DateTimeUtc>,
    /// When it was last used.
    #[sea_orm(comment = "to the half minute")]
    pub last_used_at: Option<DateTimeUtc>,
    /// When it was revoked.
    #[sea_orm(comment = "set: it no longer works")]
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
