//! Merges the chunks of idle traces into one row.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{Bulk, OnConflict, System, Tx};
use loam_jobs::{Handler, JobContext};
use loam_kernel::{CallTreeId, Result, Scope, TenantId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;

use super::merge::{MergedTrace, clusters};
use super::stored_chunks::{self, StoredChunk, TraceKey};
use crate::call_trees::entity::{Column, Entity, Model};
use crate::stats::Stats;
use crate::trace::{self, pack, unpack};

/// Chunks per transaction: few enough that locks are held briefly.
const BATCH: u64 = 200;

/// The job that merges the chunks of idle traces.
pub(crate) struct Finalise(pub(crate) Stats);

impl Finalise {
    /// The job kind.
    pub(crate) const KIND: &'static str = "insight.finalise_traces";
    /// The interval of the job.
    pub(crate) const EVERY: Duration = Duration::from_mins(1);

    /// Processes all pending chunks until it is stopped. Returns the number of merged rows.
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
) -> Result<Vec<StoredChunk>> {
    let mut find = tx.find_any::<Entity>();
    // written as in the partial index, so that it is used
    find = find.filter(Expr::cust("NOT is_final")).filter(Column::CreatedAt.lt(before));
    if let Some((at, id)) = after {
        let same = Condition::all().add(Column::CreatedAt.eq(at)).add(Column::Id.gt(id));
        find = find.filter(Condition::any().add(Column::CreatedAt.gt(at)).add(same));
    }
    find.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).limit(BATCH).partial().await
}

/// Merges the chunks of those traces that are idle.
async fn finalise(
    tx: &Tx<System>,
    waiting: &[StoredChunk],
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut keys: Vec<TraceKey> =
        waiting.iter().map(|chunk| ((chunk.tenant_id, chunk.project_id), chunk.trace_id.clone())).collect();
    keys.sort_unstable();
    keys.dedup();
    tx.exclude(keys.iter().map(|((_, project), _)| project.0)).await?;
    let times = waiting.iter().map(|chunk| chunk.started_at);
    let (Some(from), Some(to)) = (times.clone().min(), times.max()) else { return Ok(0) };
    let (mut single, mut merged, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
    for chunks in stored_chunks::find(tx, &keys, (from, to)).await?.into_values() {
        let times: Vec<DateTime<Utc>> = chunks.iter().map(|chunk| chunk.started_at).collect();
        for cluster in clusters(&times) {
            let chunks: Vec<&StoredChunk> = cluster.iter().map(|number| &chunks[*number]).collect();
            match chunks.as_slice() {
                chunks if chunks.iter().any(|chunk| chunk.created_at >= before) => {}
                [chunk] => single.push((chunk.tenant_id, chunk.id)),
                chunks => {
                    merged.push(merge(tx, chunks, now).await?);
                    replaced.extend(chunks.iter().map(|chunk| (chunk.tenant_id, chunk.id)));
                }
            }
        }
    }
    for (tenant, ids) in by_tenant(single) {
        let rows =
            tx.update_all::<Entity>().filter(Column::TenantId.eq(tenant)).filter(Column::Id.is_in(ids));
        rows.set(Column::IsFinal, true).set(Column::UpdatedAt, now).exec().await?;
    }
    let count = replaced.len() as u64;
    for (tenant, ids) in by_tenant(replaced) {
        let rows = tx.delete_any::<Entity>();
        rows.filter(Column::TenantId.eq(tenant)).filter(Column::Id.is_in(ids)).exec().await?;
    }
    tx.bulk(Bulk::models::<Entity>(merged, OnConflict::Merge)).await?;
    Ok(count)
}

fn by_tenant(rows: Vec<(TenantId, CallTreeId)>) -> HashMap<TenantId, Vec<CallTreeId>> {
    let mut all: HashMap<TenantId, Vec<CallTreeId>> = HashMap::new();
    rows.into_iter().for_each(|(tenant, id)| all.entry(tenant).or_default().push(id));
    all
}

/// Merges chunks into one row.
async fn merge(tx: &Tx<System>, chunks: &[&StoredChunk], now: DateTime<Utc>) -> Result<Model> {
    let keys: Vec<_> = chunks.iter().map(|chunk| (chunk.tenant_id, chunk.id.0)).collect();
    let mut rows: Vec<Model> = tx.get_many::<Entity>(&keys).await?;
    rows.sort_by_key(|row| (row.started_at, row.id));
    let mut merged_trace = MergedTrace::default();
    for row in &rows {
        merged_trace.add(unpack(&row.calls)?, usize::MAX);
    }
    let span_set = merged_trace.all;
    let calls = pack(
        span_set.server_spans.iter().map(|(source, server_span)| (*source, server_span)),
        &span_set.spans,
    )?;
    let (first, rest) = (chunks[0], &rows);
    let started_at = rest.iter().map(|row| row.started_at).min().unwrap_or(first.started_at);
    Ok(Model {
        tenant_id: first.tenant_id,
        id: trace::tree_id(first.project_id, &first.trace_id, &calls, started_at),
        project_id: first.project_id,
        trace_id: first.trace_id.clone(),
        call_count: i64::try_from(span_set.spans.len()).unwrap_or(i64::MAX),
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
