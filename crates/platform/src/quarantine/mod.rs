//! The quarantine: frames that the database rejected, stored for operators.

pub mod entity;
pub mod routes;

use loam_db::{System, Tx};
use loam_journal::Frame;
use loam_kernel::{Clock, NodeId, Result, TenantId};
use sea_orm::Set;

pub(crate) async fn add(
    tx: &Tx<System>,
    clock: &Clock,
    tenant: TenantId,
    node: NodeId,
    frame: &Frame,
    reason: String,
) -> Result<()> {
    let row = entity::ActiveModel {
        tenant_id: Set(tenant),
        id: Set(clock.id()),
        node_id: Set(node),
        position: Set(i64::try_from(frame.position.0).unwrap_or(i64::MAX)),
        kind: Set(i32::from(frame.kind)),
        frame: Set(frame.payload.to_vec()),
        reason: Set(reason),
        created_at: Set(clock.now()),
    };
    tx.insert_for_any_tenant(row).await.map(drop)
}
