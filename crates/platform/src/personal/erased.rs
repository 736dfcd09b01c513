//! Who has been erased, so that a record of them that comes late doesn't bring them back.

use chrono::{DateTime, Utc};
use loam_kernel::{ErasureId, TenantId};
use sea_orm::entity::prelude::*;

/// Somebody who has been erased, by a keyed digest.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "erased_subjects",
    comment = "who has been erased, by a keyed digest: records of them that come late are stripped"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// By which erasure.
    #[sea_orm(comment = "the erasure")]
    pub erasure_id: ErasureId,
    /// Who.
    #[sea_orm(column_type = "Blob", comment = "HMAC-SHA-256 of what they were called")]
    pub digest: Vec<u8>,
    /// Up to when.
    #[sea_orm(
        comment = "records of earlier are stripped, later ones are new; null: the erasure is under way"
    )]
    pub before: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
