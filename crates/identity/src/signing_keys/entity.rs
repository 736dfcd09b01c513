//! A signing key.

use loam_kernel::{SigningKeyId, TenantId};
use sea_orm::entity::prelude::*;

/// A key that signs tokens until it is rotated.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "signing_keys",
    comment = "a key that signs Loam's own tokens; belongs to the instance"
)]
pub struct Model {
    /// None: the key is the instance's.
    #[sea_orm(primary_key, auto_increment = false, comment = "nil: the key is the instance's")]
    pub tenant_id: TenantId,
    /// The key's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SigningKeyId,
    /// Its name in tokens.
    #[sea_orm(column_type = "Text", comment = "its name in tokens and in the JWKS")]
    pub kid: String,
    /// Algorithm.
    #[sea_orm(column_type = "Text", comment = "EdDSA")]
    pub algorithm: String,
    /// Public key.
    #[sea_orm(column_type = "JsonBinary", comment = "as a JWK")]
    pub public_key: Json,
    /// Private key.
    #[sea_orm(column_type = "Text", nullable, comment = "PKCS#8, sealed; null once retired")]
    pub private_key: Option<String>,
    /// Time of the rotation.
    #[sea_orm(comment = "time of its last signature; it is trusted until its tokens have expired")]
    pub retired_at: Option<DateTimeUtc>,
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
