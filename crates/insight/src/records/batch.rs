//! A batch of rows and sums that is written in one transaction.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_db::{Bulk, OnConflict, System, Tx};
use loam_kernel::{NodeId, Result};
use loam_platform::error_logs::{self, ReportedError};
use loam_platform::personal::Guard;
use uuid::Uuid;

use super::errors::errors;
use super::merge::{Added, MergedTrace, clusters};
use super::name_limit::{NameLimiter, ProjectKey};
use super::settings::StorageSettings;
use super::stored_chunks::TraceKey;
use super::trace_stats::{Sums, Trace};
use crate::record_functions::Share;
use crate::rules::{Diagnosis, Limits};
use crate::stats::Granularity;
use crate::trace::{self, ChunkHeader, SpanSet, pack, unpack};
use crate::{call_trees, performance_records, record_functions};

/// A chunk from the journal.
pub(crate) struct PackedChunk {
    pub(crate) header: ChunkHeader,
    pub(crate) packed: Vec<u8>,
}

/// The rows and sums of a batch.
pub(super) struct Batch<'a> {
    settings: &'a StorageSettings,
    limits: HashMap<ProjectKey, Limits>,
    names: &'a mut NameLimiter,
    now: DateTime<Utc>,
    trees: HashMap<Uuid, call_trees::entity::Model>,
    records: HashMap<Uuid, performance_records::entity::Model>,
    shares: HashMap<(ProjectKey, DateTime<Utc>, String), Vec<Share>>,
    sums: Sums,
    raised: Vec<ReportedError>,
}

impl<'a> Batch<'a> {
    /// `limits` holds the limits of the diagnosis rules for each project.
    pub(super) fn new(
        settings: &'a StorageSettings,
        limits: HashMap<ProjectKey, Limits>,
        names: &'a mut NameLimiter,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            settings,
            limits,
            names,
            now,
            trees: HashMap::new(),
            records: HashMap::new(),
            shares: HashMap::new(),
            sums: Sums::default(),
            raised: Vec::new(),
        }
    }

    /// Adds new chunks of a trace. `stored` are the chunks in the database, each with its start time.
    pub(super) fn add(
        &mut self,
        (project_key, trace_id): &TraceKey,
        stored: Vec<(DateTime<Utc>, SpanSet)>,
        chunks: Vec<PackedChunk>,
    ) -> Result<()> {
        let times: Vec<DateTime<Utc>> = stored
            .iter()
            .map(|(at, _)| *at)
            .chain(chunks.iter().map(|chunk| chunk.header.started_at()))
            .collect();
        let count = stored.len();
        let mut stored: Vec<Option<SpanSet>> =
            stored.into_iter().map(|(_, span_set)| Some(span_set)).collect();
        let mut chunks: Vec<Option<PackedChunk>> = chunks.into_iter().map(Some).collect();
        for cluster in clusters(&times) {
            let (old, new): (Vec<usize>, Vec<usize>) =
                cluster.into_iter().partition(|number| *number < count);
            if new.is_empty() {
                continue;
            }
            let mut merged = MergedTrace::default();
            // without the new chunks the stored ones may have been counted as several traces
            let old_times: Vec<DateTime<Utc>> = old.iter().map(|number| times[*number]).collect();
            let mut old_traces = Vec::new();
            for cluster in clusters(&old_times) {
                let mut old_trace = MergedTrace::default();
                for number in cluster {
                    let Some(span_set) = stored[old[number]].take() else { continue };
                    merged.add(span_set.clone(), usize::MAX);
                    old_trace.add(span_set, usize::MAX);
                }
                old_traces.push(old_trace.all);
            }
            let is_new = old_traces.is_empty();
            let mut rows = Vec::new();
            for number in new {
                let Some(chunk) = chunks[number - count].take() else { continue };
                rows.extend(self.merge_chunk(&mut merged, chunk)?);
            }
            if merged.is_cut {
                metrics::counter!("loam_insight_traces_cut_total").increment(1);
            }
            if rows.is_empty() && !merged.is_cut {
                continue;
            }
            let limits = self.limits_of(project_key);
            for old in old_traces {
                let old = Trace::new(*project_key, trace_id, old, &limits);
                old.count(&mut self.sums, self.names, self.settings, -1);
            }
            let is_final = is_new && rows.len() == 1 && is_whole(&merged.all);
            for mut row in rows {
                row.is_final = is_final;
                self.trees.insert(row.id.0, row);
            }
            self.count_trace(*project_key, trace_id, merged, !is_new)?;
        }
        Ok(())
    }

    /// Merges a chunk into the trace. Returns its row if it has anything new.
    fn merge_chunk(
        &self,
        merged: &mut MergedTrace,
        chunk: PackedChunk,
    ) -> Result<Option<call_trees::entity::Model>> {
        let span_set = unpack(&chunk.packed)?;
        Ok(match merged.add(span_set, self.settings.max_calls_per_trace) {
            Added::Nothing => None,
            Added::All => Some(self.row(chunk.header, chunk.packed)),
            Added::Some(added) => {
                let packed = pack(
                    added.server_spans.iter().map(|(source, server_span)| (*source, server_span)),
                    &added.spans,
                )?;
                // the times of the whole chunk if only server spans are new
                let header =
                    if added.spans.is_empty() { chunk.header } else { chunk.header.with_spans(&added.spans) };
                Some(self.row(header, packed))
            }
        })
    }

    fn row(&self, header: ChunkHeader, packed: Vec<u8>) -> call_trees::entity::Model {
        let started_at = header.started_at();
        call_trees::entity::Model {
            tenant_id: header.tenant,
            id: trace::tree_id(header.project, &header.trace_id, &packed, started_at),
            project_id: header.project,
            call_count: i64::from(header.span_count),
            is_final: false,
            started_at,
            ended_at: DateTime::from_timestamp_nanos(header.end_ns),
            created_at: self.now,
            updated_at: self.now,
            trace_id: header.trace_id,
            calls: packed,
        }
    }

    fn limits_of(&self, project_key: &ProjectKey) -> Limits {
        self.limits.get(project_key).cloned().unwrap_or_default()
    }

    /// Adds a trace to the sums and its records to the batch.
    fn count_trace(
        &mut self,
        project_key: ProjectKey,
        trace_id: &str,
        merged: MergedTrace,
        is_update: bool,
    ) -> Result<()> {
        let is_cut = merged.is_cut;
        self.raised.extend(errors(project_key, trace_id, &merged.all));
        let limits = self.limits_of(&project_key);
        let trace = Trace::new(project_key, trace_id, merged.all, &limits);
        trace.count(&mut self.sums, self.names, self.settings, 1);
        for mut scored in trace.records(is_cut, &limits, self.now)? {
            if is_update && scored.record.findings.is_none() {
                // overwrites earlier findings
                scored.record.findings = Some(Diagnosis::none());
            }
            let minute = Granularity::Minute.bucket(scored.record.created_at);
            for (function, share) in scored.shares {
                self.shares.entry((project_key, minute, function)).or_default().push(share);
            }
            self.records.insert(scored.record.id.0, scored.record);
        }
        Ok(())
    }

    /// Writes all rows and sums.
    pub(super) async fn write(self, tx: &Tx<System>, node: NodeId, guard: &Guard) -> Result<()> {
        let now = self.now;
        let mut trees: Vec<_> = self.trees.into_values().collect();
        trees.sort_unstable_by_key(|row| (row.tenant_id, row.id));
        let mut records: Vec<_> = self.records.into_values().collect();
        records.sort_unstable_by_key(|row| (row.tenant_id, row.id));
        let mut shares: Vec<_> = self
            .shares
            .into_iter()
            .map(|((project_key, minute, function), shares)| {
                record_functions::row(project_key, function, minute, &shares, now)
            })
            .collect();
        shares.sort_unstable_by_key(|row| (row.tenant_id, row.id));
        tx.bulk(Bulk::models::<call_trees::entity::Entity>(trees, OnConflict::Merge)).await?;
        tx.bulk(performance_records::rows(records)).await?;
        tx.bulk(Bulk::models::<record_functions::entity::Entity>(shares, OnConflict::Merge)).await?;
        self.sums.endpoints.write(tx, node, now).await?;
        self.sums.functions.write(tx, node, now).await?;
        error_logs::insert_reported(tx, guard, now, node, self.raised).await
    }
}

/// Whether a trace is complete: all parents are present, and so are the spans of its server spans.
fn is_whole(known: &SpanSet) -> bool {
    let ids: std::collections::HashSet<&str> = known.spans.iter().map(|span| span.id.as_str()).collect();
    let has_parents =
        known.spans.iter().all(|span| span.parent.as_deref().is_none_or(|parent| ids.contains(parent)));
    !known.server_spans.is_empty()
        && has_parents
        && known.server_spans.iter().all(|(_, server_span)| ids.contains(server_span.call_id.as_str()))
}
