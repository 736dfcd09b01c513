//! Inserts calls that applications made themselves and report into the ledger: each once, and none that went through
//! the gateway.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use loam_db::{Column as Values, System, Tx};
use loam_kernel::{Error, LlmCallId, NodeId, Result, TenantId};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::call_identity::{CallIdentity, SpanLinks, resolve};
use super::entity::{Column, Entity};
use super::gateway_matches::{Join, by_response, outside_traces};
use super::imported_calls::{ImportedCall, insert_imported};
use super::known_calls::{KnownCall, in_traces, with_responses};
use super::reported_call::ReportedCall;
use crate::usage::rollup::Rollup;

/// Inserts reported calls and adds them to the sums, in the caller's transaction. Skips calls that exist already, and
/// those that the gateway made for the application: its record is more complete. Of several spans of one call, also of
/// earlier batches, one counts. `node` must be one that nobody else writes for at the same time.
///
/// The number of statements doesn't depend on the number of calls.
///
/// # Errors
/// When a month has no partition, or on a database error.
pub async fn insert_reported(
    tx: &Tx<System>,
    node: NodeId,
    now: DateTime<Utc>,
    mut calls: Vec<(TenantId, ReportedCall)>,
) -> Result<()> {
    let keys: Vec<(TenantId, Uuid)> =
        calls.iter().map(|(tenant, reported)| (*tenant, reported.call.id.0)).collect();
    let mut existing: HashSet<(TenantId, Uuid)> =
        tx.get_many::<Entity>(&keys).await?.into_iter().map(|row| (row.tenant_id, row.id.0)).collect();
    calls.retain(|(tenant, reported)| existing.insert((*tenant, reported.call.id.0)));
    let (own, stored): (Vec<KnownCall>, Vec<KnownCall>) =
        in_traces(tx, &calls).await?.into_iter().partition(KnownCall::is_own);
    let mut resolved = resolve_traces(stored, calls);
    let mut updates = std::mem::take(&mut resolved.relinked);
    remove(tx, node, now, &resolved.superseded).await?;
    for (tenant, calls) in resolved.calls {
        let own: Vec<KnownCall> = own.iter().filter(|own| own.tenant_id == tenant).cloned().collect();
        let calls = outside_traces(calls, &own);
        let responses = with_responses(tx, tenant, &calls).await?;
        let (calls, joins): (Vec<ImportedCall>, Vec<Join>) = by_response(calls, responses);
        updates.extend(joins);
        if !calls.is_empty() {
            insert_imported(tx, tenant, node, now, calls).await?;
        }
    }
    update(tx, updates).await
}

/// Which of the calls of some traces count.
#[derive(Default)]
struct Resolved {
    calls: BTreeMap<TenantId, Vec<ReportedCall>>,
    /// Stored calls that turn out to be the same as others.
    superseded: Vec<(TenantId, LlmCallId)>,
    /// Stored calls that stand for more spans than was known.
    relinked: Vec<Join>,
}

fn resolve_traces(stored: Vec<KnownCall>, calls: Vec<(TenantId, ReportedCall)>) -> Resolved {
    let mut traces: HashMap<(TenantId, String), (Vec<KnownCall>, Vec<ReportedCall>)> = HashMap::new();
    let mut resolved = Resolved::default();
    for (tenant, reported) in calls {
        match reported.call.trace_id.clone() {
            Some(trace) => traces.entry((tenant, trace)).or_default().1.push(reported),
            None => resolved.calls.entry(tenant).or_default().push(reported),
        }
    }
    for known in stored {
        let trace = known.trace_id.clone().unwrap_or_default();
        traces.entry((known.tenant_id, trace)).or_default().0.push(known);
    }
    for ((tenant, _), (stored, calls)) in traces {
        let stored_identities = stored.iter().map(KnownCall::identity);
        let mut identities: Vec<CallIdentity> =
            stored_identities.chain(calls.iter().map(ReportedCall::identity)).collect();
        let counted = resolve(&mut identities);
        let mut outcomes = identities.into_iter().zip(counted);
        for (known, (identity, counts)) in stored.into_iter().zip(outcomes.by_ref()) {
            if !counts {
                resolved.superseded.push((tenant, known.id));
            } else if identity.links != known.links() {
                let links = Some(identity.links);
                resolved.relinked.push(Join { own: known, trace_id: None, span_id: None, links });
            }
        }
        for (mut reported, (identity, _)) in
            calls.into_iter().zip(outcomes).filter(|(_, (_, counts))| *counts)
        {
            reported.call.links = Some(identity.links);
            resolved.calls.entry(tenant).or_default().push(reported);
        }
    }
    resolved
}

/// Sets what has become known of stored calls.
async fn update(tx: &Tx<System>, updates: Vec<Join>) -> Result<()> {
    let links = |links: &Option<SpanLinks>| links.as_ref().map(serde_json::to_string).transpose();
    let links: Vec<Option<String>> = updates
        .iter()
        .map(|update| links(&update.links))
        .collect::<Result<_, _>>()
        .map_err(Error::internal)?;
    let columns = vec![
        ("tenant_id", Values::Uuid(updates.iter().map(|update| Some(update.own.tenant_id.0)).collect())),
        ("id", Values::Uuid(updates.iter().map(|update| Some(update.own.id.0)).collect())),
        ("trace_id", Values::Text(updates.iter().map(|update| update.trace_id.clone()).collect())),
        ("span_id", Values::Text(updates.into_iter().map(|update| update.span_id).collect())),
        ("span_links", Values::Json(links)),
    ];
    tx.bulk_update(sea_orm::EntityName::table_name(&Entity), columns).await
}

/// Removes calls, and subtracts them from the sums.
async fn remove(
    tx: &Tx<System>,
    node: NodeId,
    now: DateTime<Utc>,
    calls: &[(TenantId, LlmCallId)],
) -> Result<()> {
    if calls.is_empty() {
        return Ok(());
    }
    let keys: Vec<(TenantId, Uuid)> = calls.iter().map(|(tenant, id)| (*tenant, id.0)).collect();
    let mut rollup = Rollup::default();
    for row in tx.get_many::<Entity>(&keys).await? {
        rollup.subtract_reported(row, node);
    }
    let mut by_tenant: HashMap<TenantId, Vec<LlmCallId>> = HashMap::new();
    for (tenant, id) in calls {
        by_tenant.entry(*tenant).or_default().push(*id);
    }
    for (tenant, ids) in by_tenant {
        let of = Condition::all().add(Column::TenantId.eq(tenant)).add(Column::Id.is_in(ids));
        tx.delete_any::<Entity>().filter(of).exec().await?;
    }
    rollup.write(tx, now).await
}
