//! A part of a running turn's stream, until the turn is stored.

use loam_kernel::{TenantId, TurnId};
use sea_orm::entity::prelude::*;

/// A part.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "turn_parts", comment = "part of a running turn's stream, until the turn is stored")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The part.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Of which turn.
    #[sea_orm(comment = "the turn it is a part of")]
    pub turn_id: TurnId,
    /// Its place.
    #[sea_orm(comment = "how many events of the turn came before")]
    pub position: i64,
    /// What was said.
    #[sea_orm(column_type = "Blob", comment = "events, packed")]
    pub events: Vec<u8>,
    /// When it came.
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
