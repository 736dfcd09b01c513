//! How far a node's journal has come into the database.

use chrono::{DateTime, Utc};
use loam_db::{Db, System, Tx};
use loam_journal::Position;
use loam_kernel::{NodeId, Result, Scope, TenantId};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryFilter, Set};

/// A node's position.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "journal_checkpoints",
    comment = "how far a node's journal has come into the database"
)]
pub struct Model {
    /// The node.
    #[sea_orm(primary_key, auto_increment = false, comment = "id of the node's journal")]
    pub node_id: NodeId,
    /// Everything up to here is in the database.
    #[sea_orm(comment = "everything up to this position is in the database")]
    pub position: i64,
    /// When it moved.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Where to go on; the beginning for a node that never drained.
pub async fn load(db: &Db, node: NodeId) -> Result<Position> {
    read(&db.system_read(&Scope::system(TenantId::NIL, "drainer")).await?, node).await
}

/// The same, as a transaction sees it: which frames its other rows know of.
pub async fn read(tx: &Tx<System>, node: NodeId) -> Result<Position> {
    let row = tx.find_any::<Entity>().filter(Column::NodeId.eq(node)).one().await?;
    Ok(Position(row.map_or(0, |row| row.position.unsigned_abs())))
}

pub(super) async fn store(
    tx: &Tx<System>,
    node: NodeId,
    position: Position,
    now: DateTime<Utc>,
) -> Result<()> {
    let position = i64::try_from(position.0).unwrap_or(i64::MAX);
    let moved = tx
        .update_all::<Entity>()
        .set(Column::Position, position)
        .set(Column::UpdatedAt, now)
        .filter(Column::NodeId.eq(node))
        .exec()
        .await?;
    if moved == 0 {
        tx.insert_for_any_tenant(ActiveModel {
            node_id: Set(node),
            position: Set(position),
            updated_at: Set(now),
        })
        .await?;
    }
    Ok(())
}
