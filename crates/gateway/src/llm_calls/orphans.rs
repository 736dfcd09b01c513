//! Calls that were under way when this node died.

use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_kernel::{NodeId, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::entity::{CallState, Column, Entity};

/// Marks the node's calls that began before `start` and were never settled. Says how many.
pub(super) async fn mark(db: &Db, node: NodeId, start: Uuid, now: DateTime<Utc>) -> Result<u64> {
    let tx = db.system_write(&Scope::system(TenantId::NIL, "orphans")).await?;
    let marked = tx
        .update_all::<Entity>()
        .set(Column::State, CallState::Orphaned.name())
        .set(Column::ErrorMessage, "the server died while this call was under way")
        .set(Column::UpdatedAt, now)
        .filter(Column::NodeId.eq(node))
        .filter(Column::State.eq(CallState::Open))
        .filter(Column::Id.lt(start))
        .exec()
        .await?;
    tx.commit().await?;
    Ok(marked)
}

impl crate::Gateway {
    /// Marks the calls that this node left behind when it last died. Call it once what the journal recovered has been
    /// drained, with an id made before the first call of this run.
    pub async fn mark_orphans(&self, node: NodeId, start: Uuid) -> Result<u64> {
        let marked = mark(&self.0.db, node, start, self.0.clock.now()).await?;
        if marked > 0 {
            tracing::warn!(
                calls = marked,
                "found calls that were under way when this node died; they are marked orphaned"
            );
        }
        Ok(marked)
    }
}
