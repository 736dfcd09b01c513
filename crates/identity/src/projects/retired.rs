//! A replaced ingest key in its grace period.

use loam_kernel::{ProjectId, RetiredProjectKeyId, TenantId};
use sea_orm::entity::prelude::*;

/// A replaced ingest key.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "retired_project_keys", comment = "replaced ingest keys of projects")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The retired key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RetiredProjectKeyId,
    /// The project.
    pub project_id: ProjectId,
    /// Digest of the key.
    #[sea_orm(column_type = "Blob", comment = "SHA-256 of the key")]
    pub key_hash: Vec<u8>,
    /// End of the grace period.
    #[sea_orm(comment = "end of its grace period")]
    pub expires_at: DateTimeUtc,
    /// Time of the replacement.
    #[sea_orm(comment = "time of the replacement")]
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
