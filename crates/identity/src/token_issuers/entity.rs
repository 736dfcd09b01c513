//! A token issuer.

use loam_kernel::{TenantId, TokenIssuerId};
use sea_orm::entity::prelude::*;

/// An application that issues tokens for its end users.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "token_issuers", comment = "an application that issues tokens for its end users")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The issuer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TokenIssuerId,
    /// Display name.
    #[sea_orm(column_type = "Text", comment = "display name; unique in the tenant")]
    pub name: String,
    /// The `iss` of its tokens.
    #[sea_orm(column_type = "Text", comment = "`iss` of its tokens; unique in the tenant with the audience")]
    pub issuer: String,
    /// The `aud` of its tokens.
    #[sea_orm(column_type = "Text", comment = "`aud` of its tokens")]
    pub audience: String,
    /// URL of its public keys.
    #[sea_orm(column_type = "Text", nullable, comment = "URL of its public keys (JWKS); null with a secret")]
    pub jwks_url: Option<String>,
    /// The shared secret.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "shared secret, sealed; null with a JWKS")]
    pub secret: Option<Json>,
    /// Accepted algorithms.
    #[sea_orm(column_type = "JsonBinary", comment = "accepted signature algorithms")]
    pub algorithms: Json,
    /// The claim with the application's own id of the user.
    #[sea_orm(column_type = "Text", comment = "claim with the application's own id of the user")]
    pub user_claim: String,
    /// The role of its end users.
    #[sea_orm(column_type = "Text", comment = "role whose permissions its end users have")]
    pub role: String,
    /// Whether users are created automatically.
    #[sea_orm(comment = "whether a user is created at an end user's first request")]
    pub auto_create_users: bool,
    /// Whether its tokens are accepted.
    #[sea_orm(comment = "false: its tokens are rejected")]
    pub is_active: bool,
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
