//! A key of a project that another has taken the place of, and that is taken for a while yet.

use loam_kernel::{ProjectId, RetiredProjectKeyId, TenantId};
use sea_orm::entity::prelude::*;

/// A retired key.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "retired_project_keys",
    comment = "keys of projects that others have taken the place of"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The retired key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RetiredProjectKeyId,
    /// Whose it was.
    pub project_id: ProjectId,
    /// The key, to be recognised by.
    #[sea_orm(column_type = "Blob", comment = "SHA-256 of the key")]
    pub key_hash: Vec<u8>,
    /// When it ends.
    #[sea_orm(comment = "until when it is taken")]
    pub expires_at: DateTimeUtc,
    /// When it was retired.
    #[sea_orm(comment = "when another took its place")]
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
