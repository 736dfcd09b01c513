//! A token issuer.

use loam_kernel::{TenantId, TokenIssuerId};
use sea_orm::entity::prelude::*;

/// An application that vouches for its own end users.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "token_issuers", comment = "an application that vouches for its own end users")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The issuer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TokenIssuerId,
    /// The name for people.
    #[sea_orm(column_type = "Text", comment = "name for people; unique in the tenant")]
    pub name: String,
    /// What its tokens have as `iss`.
    #[sea_orm(column_type = "Text", comment = "`iss` of its tokens; unique in the tenant with the audience")]
    pub issuer: String,
    /// What its tokens have as `aud`.
    #[sea_orm(column_type = "Text", comment = "`aud` of its tokens")]
    pub audience: String,
    /// Where its public keys are.
    #[sea_orm(column_type = "Text", nullable, comment = "where its public keys are; null with a secret")]
    pub jwks_url: Option<String>,
    /// The secret that both sides know.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "shared secret, sealed; null with a JWKS")]
    pub secret: Option<Json>,
    /// How its tokens may be signed.
    #[sea_orm(column_type = "JsonBinary", comment = "algorithms that are taken")]
    pub algorithms: Json,
    /// Which claim is the application's own id of the user.
    #[sea_orm(column_type = "Text", comment = "claim with the application's own id of the user")]
    pub user_claim: String,
    /// What its end users may do.
    #[sea_orm(column_type = "Text", comment = "role whose permissions its end users have")]
    pub role: String,
    /// Whether users come by themselves.
    #[sea_orm(comment = "whether a user is made for an end user who comes first")]
    pub auto_create_users: bool,
    /// Whether its tokens are taken.
    #[sea_orm(comment = "false: its tokens are not taken")]
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
