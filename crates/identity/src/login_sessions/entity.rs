//! A log-in session.

use loam_kernel::{LoginSessionId, TenantId, UserId};
use sea_orm::entity::prelude::*;

/// A browser in which somebody is logged in.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "login_sessions", comment = "a browser in which somebody is logged in")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The session.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LoginSessionId,
    /// Who is logged in.
    #[sea_orm(comment = "who is logged in")]
    pub user_id: UserId,
    /// The cookie's digest.
    #[sea_orm(column_type = "Blob", comment = "SHA-256 of what the cookie holds")]
    pub token_hash: Vec<u8>,
    /// From where.
    #[sea_orm(column_type = "Text", nullable, comment = "address at the log-in")]
    pub ip_address: Option<String>,
    /// With what.
    #[sea_orm(column_type = "Text", nullable, comment = "browser at the log-in")]
    pub user_agent: Option<String>,
    /// When it was last used.
    #[sea_orm(comment = "to the half minute")]
    pub last_seen_at: DateTimeUtc,
    /// When it ends.
    #[sea_orm(comment = "when it ends in any case")]
    pub expires_at: DateTimeUtc,
    /// When it was ended.
    #[sea_orm(comment = "set: somebody logged out, or was logged out")]
    pub revoked_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
