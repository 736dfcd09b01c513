//! What the database has of traces.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_db::{System, Tx};
use loam_kernel::{CallTreeId, ProjectId, Result, TenantId, first_id_at};
use sea_orm::FromQueryResult;
use uuid::Uuid;

use super::join::APART;
use super::names::Owner;
use crate::call_trees::entity::{Column, Entity};

/// A trace of a project.
pub(super) type TraceKey = (Owner, String);

/// A part that is there, without its calls.
#[derive(Clone, Debug, FromQueryResult)]
pub(super) struct StoredPart {
    pub(super) tenant_id: TenantId,
    pub(super) id: CallTreeId,
    pub(super) project_id: ProjectId,
    pub(super) trace_id: String,
    pub(super) call_count: i64,
    pub(super) started_at: DateTime<Utc>,
    pub(super) created_at: DateTime<Utc>,
}

pub(super) const COLUMNS: [Column; 7] = [
    Column::TenantId,
    Column::Id,
    Column::ProjectId,
    Column::TraceId,
    Column::CallCount,
    Column::StartedAt,
    Column::CreatedAt,
];

/// The parts that are there of some traces and begin near a time, or near such as do, and so on.
pub(super) async fn find(
    tx: &Tx<System>,
    traces: &[TraceKey],
    (mut from, mut to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<HashMap<TraceKey, Vec<StoredPart>>> {
    let wanted: HashMap<&TraceKey, ()> = traces.iter().map(|trace| (trace, ())).collect();
    let mut texts: Vec<(TenantId, &str)> =
        traces.iter().map(|((tenant, _), trace_id)| (*tenant, trace_id.as_str())).collect();
    texts.sort_unstable();
    texts.dedup();
    loop {
        let ids: std::ops::Range<Uuid> = first_id_at(from - APART)..first_id_at(to + APART);
        let mut found: HashMap<TraceKey, Vec<StoredPart>> = HashMap::new();
        let (mut first, mut last) = (from, to);
        for part in tx.find_many::<Entity, StoredPart>(&COLUMNS, Column::TraceId, &texts, ids).await? {
            let key = ((part.tenant_id, part.project_id), part.trace_id.clone());
            if wanted.contains_key(&key) {
                (first, last) = (first.min(part.started_at), last.max(part.started_at));
                found.entry(key).or_default().push(part);
            }
        }
        if (first, last) == (from, to) {
            found.values_mut().for_each(|parts| parts.sort_by_key(|part| (part.started_at, part.id)));
            return Ok(found);
        }
        // there may be more on the far side of what was found
        (from, to) = (first, last);
    }
}
