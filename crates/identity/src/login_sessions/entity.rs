//! A login session.

use loam_kernel::{LoginSessionId, TenantId, UserId};
use sea_orm::entity::prelude::*;

/// A user's logged-in browser.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "login_sessions", comment = "a user's logged-in browser")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The session.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LoginSessionId,
    /// The logged-in user.
    #[sea_orm(comment = "the logged-in user")]
    pub user_id: UserId,
    /// The cookie's digest.
    #[sea_orm(column_type = "Blob", comment = "SHA-256 of the session token in the cookie")]
    pub token_hash: Vec<u8>,
    /// Client address.
    #[sea_orm(column_type = "Text", nullable, comment = "address at the log-in")]
    pub ip_address: Option<String>,
    /// Client software.
    #[sea_orm(column_type = "Text", nullable, comment = "browser at the log-in")]
    pub user_agent: Option<String>,
    /// Time of the last use.
    #[sea_orm(comment = "time of the last use, accurate to half a minute")]
    pub last_seen_at: DateTimeUtc,
    /// Maximum lifetime.
    #[sea_orm(comment = "when it ends regardless of use")]
    pub expires_at: DateTimeUtc,
    /// When it was revoked.
    #[sea_orm(comment = "set: the session was ended by a log-out or revocation")]
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
