//! A signing key.

use loam_kernel::{SigningKeyId, TenantId};
use sea_orm::entity::prelude::*;

/// What tokens are signed with, until the next one.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys", comment = "what Loam's own tokens are signed with; of no tenant")]
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
    /// How it signs.
    #[sea_orm(column_type = "Text", comment = "EdDSA")]
    pub algorithm: String,
    /// The half that everybody may have.
    #[sea_orm(column_type = "JsonBinary", comment = "as a JWK")]
    pub public_key: Json,
    /// The other half.
    #[sea_orm(column_type = "Text", nullable, comment = "PKCS#8, sealed; null once retired")]
    pub private_key: Option<String>,
    /// When it signed for the last time.
    #[sea_orm(comment = "when it signed for the last time; it is believed until what it signed has expired")]
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
