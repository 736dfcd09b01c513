//! Events of a running turn, until the turn is stored.

use loam_kernel::{TenantId, TurnId};
use sea_orm::entity::prelude::*;

/// A part.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "turn_parts", comment = "events of running turns, until the turn is stored")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The part.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Turn ID.
    #[sea_orm(comment = "turn ID")]
    pub turn_id: TurnId,
    /// Position.
    #[sea_orm(comment = "number of earlier events of the turn")]
    pub position: i64,
    /// Events.
    #[sea_orm(column_type = "Blob", comment = "events, packed")]
    pub events: Vec<u8>,
    /// When it was written.
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
