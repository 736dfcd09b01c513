//! Writing the trail.

use loam_db::Tx;
use loam_kernel::{Clock, Error, Result};
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};
use serde_json::Value;

use super::{chain, entity, head};
use crate::records::redact;

/// A change about to be made.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// `create`, `update`, `delete`, `revoke`, ….
    pub action: &'static str,
    /// The table.
    pub resource_type: &'static str,
    /// The row.
    pub resource_id: &'a str,
    /// What changes, without secrets.
    pub changes: Value,
}

/// Adds a row to the trail of the transaction's tenant, in that transaction: the change and its record are one.
pub async fn record<R>(tx: &Tx<R>, clock: &Clock, mut change: Change<'_>) -> Result<()> {
    // whoever records a change leaves secrets out; this is for one that forgets, and for addresses that are secrets
    redact::json(&mut change.changes);
    let scope = tx.scope();
    let last = lock_head(tx).await?;
    let origin = scope.origin();
    let mut row = entity::Model {
        tenant_id: scope.tenant(),
        id: clock.id(),
        sequence: last.sequence + 1,
        action: change.action.to_owned(),
        resource_type: change.resource_type.to_owned(),
        resource_id: change.resource_id.to_owned(),
        actor: scope.actor().label(),
        changes: change.changes,
        request_id: Some(origin.request_id.clone()).filter(|id| !id.is_empty()),
        ip_address: origin.ip_address.map(|ip| ip.to_string()),
        user_agent: origin.user_agent.clone(),
        previous_hash: last.hash,
        hash: Vec::new(),
        version: None,
        origin_salt: None,
        origin_commitment: None,
        changes_salt: None,
        changes_commitment: None,
        erased_at: None,
        created_at: clock.now(),
    };
    chain::seal(&mut row, [clock.random(), clock.random()]);
    let new_head = head::ActiveModel {
        tenant_id: Set(row.tenant_id),
        id: Set(row.tenant_id),
        sequence: Set(row.sequence),
        hash: Set(row.hash.clone()),
    };
    tx.update(new_head).await?;
    tx.insert(row.into_active_model().reset_all()).await?;
    Ok(())
}

/// The end of the tenant's chain, locked until the transaction ends; a chain begins with an end before its first row.
async fn lock_head<R>(tx: &Tx<R>) -> Result<head::Model> {
    let tenant = tx.scope().tenant();
    if let Some(head) = tx.get_locked::<head::Entity>(tenant).await? {
        return Ok(head);
    }
    let first = head::Model { tenant_id: tenant, id: tenant, sequence: 0, hash: chain::GENESIS.to_vec() };
    // another transaction may be first; this one then waits for it, and goes on behind it
    tx.insert_if_new(first.into_active_model().reset_all()).await?;
    tx.get_locked::<head::Entity>(tenant)
        .await?
        .ok_or_else(|| Error::internal("a tenant's audit chain has no end"))
}
