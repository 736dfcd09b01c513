//! A trace that is quiet is made one row.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{System, Tx};
use loam_jobs::{Handler, JobContext};
use loam_kernel::{CallTreeId, Result, Scope, TenantId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::join::{Joined, clusters};
use super::stored::{self, COLUMNS, StoredPart, TraceKey};
use crate::Insight;
use crate::call_trees::entity::{Column, Entity, Model};
use crate::call_trees::rows;
use crate::trace::{self, open, pack};

/// Parts that a transaction begins with: few enough that nobody waits long for it.
const BATCH: u64 = 200;

/// Makes the parts of quiet traces one.
pub(crate) struct Finalise(pub(crate) Insight);

impl Finalise {
    /// Its kind.
    pub(crate) const KIND: &'static str = "insight.finalise_traces";
    /// How often it runs.
    pub(crate) const EVERY: Duration = Duration::from_mins(1);

    /// Goes through all parts that wait, until it is stopped; says how many rows were merged.
    pub(super) async fn sweep(&self, scope: &Scope, stopped: impl Fn() -> bool + Sync) -> Result<u64> {
        let inner = &self.0.0;
        let quiet = TimeDelta::seconds(i64::from(inner.storage.get().quiet_seconds));
        let before = inner.clock.now() - quiet;
        let (mut after, mut merged) = (None, 0);
        while !stopped() {
            let tx = inner.db.system_write(scope).await?;
            let waiting = waiting(&tx, before, after).await?;
            let Some(last) = waiting.last() else { break };
            after = Some((last.created_at, last.id));
            merged += finalise(&tx, &waiting, before, inner.clock.now()).await?;
            tx.commit().await?;
        }
        Ok(merged)
    }
}

async fn waiting(
    tx: &Tx<System>,
    before: DateTime<Utc>,
    after: Option<(DateTime<Utc>, CallTreeId)>,
) -> Result<Vec<StoredPart>> {
    let mut find = tx.find_any::<Entity>().select_only().columns(COLUMNS);
    // in the words of the index
    find = find.filter(Expr::cust("NOT is_final")).filter(Column::CreatedAt.lt(before));
    if let Some((at, id)) = after {
        let same = Condition::all().add(Column::CreatedAt.eq(at)).add(Column::Id.gt(id));
        find = find.filter(Condition::any().add(Column::CreatedAt.gt(at)).add(same));
    }
    find.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).limit(BATCH).into().await
}

/// Makes one of the parts of each of these traces that is quiet.
async fn finalise(
    tx: &Tx<System>,
    waiting: &[StoredPart],
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut keys: Vec<TraceKey> =
        waiting.iter().map(|part| ((part.tenant_id, part.project_id), part.trace_id.clone())).collect();
    keys.sort_unstable();
    keys.dedup();
    tx.exclude(keys.iter().map(|((_, project), _)| project.0)).await?;
    let times = waiting.iter().map(|part| part.started_at);
    let (Some(from), Some(to)) = (times.clone().min(), times.max()) else { return Ok(0) };
    let (mut alone, mut merged, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for parts in stored::find(tx, &keys, (from, to)).await?.into_values() {
        let times: Vec<DateTime<Utc>> = parts.iter().map(|part| part.started_at).collect();
        for cluster in clusters(&times) {
            let parts: Vec<&StoredPart> = cluster.iter().map(|number| &parts[*number]).collect();
            match parts.as_slice() {
                parts if parts.iter().any(|part| part.created_at >= before) => {}
                [part] => alone.push((part.tenant_id, part.id)),
                parts => {
                    merged.push(merge(tx, parts, now).await?);
                    gone.extend(parts.iter().map(|part| (part.tenant_id, part.id)));
                }
            }
        }
    }
    for (tenant, ids) in by_tenant(alone) {
        let rows =
            tx.update_all::<Entity>().filter(Column::TenantId.eq(tenant)).filter(Column::Id.is_in(ids));
        rows.set(Column::IsFinal, true).set(Column::UpdatedAt, now).exec().await?;
    }
    let count = gone.len() as u64;
    for (tenant, ids) in by_tenant(gone) {
        let rows = tx.delete_any::<Entity>();
        rows.filter(Column::TenantId.eq(tenant)).filter(Column::Id.is_in(ids)).exec().await?;
    }
    tx.bulk(rows(merged)).await?;
    Ok(count)
}

fn by_tenant(rows: Vec<(TenantId, CallTreeId)>) -> HashMap<TenantId, Vec<CallTreeId>> {
    let mut all: HashMap<TenantId, Vec<CallTreeId>> = HashMap::new();
    rows.into_iter().for_each(|(tenant, id)| all.entry(tenant).or_default().push(id));
    all
}

/// The row that parts of a trace come to.
async fn merge(tx: &Tx<System>, parts: &[&StoredPart], now: DateTime<Utc>) -> Result<Model> {
    let keys: Vec<_> = parts.iter().map(|part| (part.tenant_id, part.id.0)).collect();
    let mut rows: Vec<Model> = tx.get_many::<Entity>(&keys).await?;
    rows.sort_by_key(|row| (row.started_at, row.id));
    let mut joined = Joined::default();
    for row in &rows {
        joined.add(open(&row.calls)?, usize::MAX);
    }
    let known = joined.all;
    let calls = pack(known.entries.iter().map(|(source, entry)| (*source, entry)), &known.calls)?;
    let (first, rest) = (parts[0], &rows);
    let started_at = rest.iter().map(|row| row.started_at).min().unwrap_or(first.started_at);
    Ok(Model {
        tenant_id: first.tenant_id,
        id: trace::tree_id(first.project_id, &first.trace_id, &calls, started_at),
        project_id: first.project_id,
        trace_id: first.trace_id.clone(),
        call_count: i64::try_from(known.calls.len()).unwrap_or(i64::MAX),
        is_final: true,
        started_at,
        ended_at: rest.iter().map(|row| row.ended_at).max().unwrap_or(started_at),
        created_at: rest.iter().map(|row| row.created_at).min().unwrap_or(now),
        updated_at: now,
        calls,
    })
}

#[async_trait]
impl Handler for Finalise {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let merged = self.sweep(&job.scope(), || job.is_cancelled()).await?;
        metrics::counter!("loam_insight_parts_merged_total").increment(merged);
        Ok(())
    }
}
