//! Finds the stored chunks of traces.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_db::{System, Tx};
use loam_kernel::{CallTreeId, ProjectId, Result, TenantId, first_id_at};
use sea_orm::DerivePartialModel;
use uuid::Uuid;

use super::merge::MAX_GAP;
use super::name_limit::ProjectKey;
use crate::call_trees::entity::{Column, Entity};

/// A project and a trace id.
pub(super) type TraceKey = (ProjectKey, String);

/// A stored chunk without its spans.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub(super) struct StoredChunk {
    pub(super) tenant_id: TenantId,
    pub(super) id: CallTreeId,
    pub(super) project_id: ProjectId,
    pub(super) trace_id: String,
    pub(super) call_count: i64,
    pub(super) started_at: DateTime<Utc>,
    pub(super) created_at: DateTime<Utc>,
}

/// The stored chunks of traces that start near a time, or near others that do, transitively.
pub(super) async fn find(
    tx: &Tx<System>,
    traces: &[TraceKey],
    (mut from, mut to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<HashMap<TraceKey, Vec<StoredChunk>>> {
    let requested: HashMap<&TraceKey, ()> = traces.iter().map(|trace| (trace, ())).collect();
    let mut texts: Vec<(TenantId, &str)> =
        traces.iter().map(|((tenant, _), trace_id)| (*tenant, trace_id.as_str())).collect();
    texts.sort_unstable();
    texts.dedup();
    loop {
        let ids: std::ops::Range<Uuid> = first_id_at(from - MAX_GAP)..first_id_at(to + MAX_GAP);
        let mut found: HashMap<TraceKey, Vec<StoredChunk>> = HashMap::new();
        let (mut first, mut last) = (from, to);
        for chunk in tx.find_many::<Entity, StoredChunk>(Column::TraceId, &texts, ids).await? {
            let key = ((chunk.tenant_id, chunk.project_id), chunk.trace_id.clone());
            if requested.contains_key(&key) {
                (first, last) = (first.min(chunk.started_at), last.max(chunk.started_at));
                found.entry(key).or_default().push(chunk);
            }
        }
        if (first, last) == (from, to) {
            found.values_mut().for_each(|chunks| chunks.sort_by_key(|chunk| (chunk.started_at, chunk.id)));
            return Ok(found);
        }
        // there may be more beyond what was found
        (from, to) = (first, last);
    }
}
