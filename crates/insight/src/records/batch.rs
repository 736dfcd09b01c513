//! What is written at once.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_db::{System, Tx};
use loam_kernel::{NodeId, Result};
use loam_platform::error_logs::{self, ReportedError};
use uuid::Uuid;

use super::contribution::{Sums, Trace};
use super::errors::errors;
use super::join::{Fresh, Joined, clusters};
use super::names::{Names, Owner};
use super::settings::StorageSettings;
use super::stored::TraceKey;
use crate::record_functions::Share;
use crate::rules::{Diagnosis, Limits};
use crate::stats::Granularity;
use crate::trace::{self, Head, Opened, open, pack};
use crate::{call_trees, performance_records, record_functions};

/// A part as it came.
pub(super) struct Part {
    pub(super) head: Head,
    pub(super) packed: Vec<u8>,
}

/// Rows and sums of a batch.
pub(super) struct Batch<'a> {
    settings: &'a StorageSettings,
    limits: HashMap<Owner, Limits>,
    names: &'a mut Names,
    now: DateTime<Utc>,
    trees: HashMap<Uuid, call_trees::entity::Model>,
    records: HashMap<Uuid, performance_records::entity::Model>,
    shares: HashMap<(Owner, DateTime<Utc>, String), Vec<Share>>,
    sums: Sums,
    raised: Vec<ReportedError>,
}

impl<'a> Batch<'a> {
    /// `limits` has what the rules go by, for each project.
    pub(super) fn new(
        settings: &'a StorageSettings,
        limits: HashMap<Owner, Limits>,
        names: &'a mut Names,
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

    /// Adds parts of a trace to those that the database has, each of which is given with its begin.
    pub(super) fn add(
        &mut self,
        (owner, trace_id): &TraceKey,
        stored: Vec<(DateTime<Utc>, Opened)>,
        parts: Vec<Part>,
    ) -> Result<()> {
        let times: Vec<DateTime<Utc>> =
            stored.iter().map(|(at, _)| *at).chain(parts.iter().map(|part| part.head.begin())).collect();
        let count = stored.len();
        let mut stored: Vec<Option<Opened>> = stored.into_iter().map(|(_, opened)| Some(opened)).collect();
        let mut parts: Vec<Option<Part>> = parts.into_iter().map(Some).collect();
        for cluster in clusters(&times) {
            let (old, new): (Vec<usize>, Vec<usize>) =
                cluster.into_iter().partition(|number| *number < count);
            if new.is_empty() {
                continue;
            }
            let mut joined = Joined::default();
            // without the new ones they may have been more than one trace
            let old_times: Vec<DateTime<Utc>> = old.iter().map(|number| times[*number]).collect();
            let mut olds = Vec::new();
            for cluster in clusters(&old_times) {
                let mut old_one = Joined::default();
                for number in cluster {
                    let Some(opened) = stored[old[number]].take() else { continue };
                    joined.add(opened.clone(), usize::MAX);
                    old_one.add(opened, usize::MAX);
                }
                olds.push(old_one.all);
            }
            let had_none = olds.is_empty();
            let mut rows = Vec::new();
            for number in new {
                let Some(part) = parts[number - count].take() else { continue };
                rows.extend(self.join(&mut joined, part)?);
            }
            if joined.is_cut {
                metrics::counter!("loam_insight_traces_cut_total").increment(1);
            }
            if rows.is_empty() && !joined.is_cut {
                continue;
            }
            for old in olds {
                Trace::new(*owner, trace_id, old).count(&mut self.sums, self.names, self.settings, -1);
            }
            let is_final = had_none && rows.len() == 1 && is_whole(&joined.all);
            for mut row in rows {
                row.is_final = is_final;
                self.trees.insert(row.id.0, row);
            }
            self.tell(*owner, trace_id, joined, !had_none)?;
        }
        Ok(())
    }

    /// Joins a part to what is known; gives its row, if there is anything new in it.
    fn join(&self, joined: &mut Joined, part: Part) -> Result<Option<call_trees::entity::Model>> {
        let opened = open(&part.packed)?;
        Ok(match joined.add(opened, self.settings.max_calls_per_trace) {
            Fresh::Nothing => None,
            Fresh::All => Some(self.row(part.head, part.packed)),
            Fresh::Some(fresh) => {
                let packed =
                    pack(fresh.entries.iter().map(|(source, entry)| (*source, entry)), &fresh.calls)?;
                // the times of the whole part, where nothing but requests is new
                let head = if fresh.calls.is_empty() { part.head } else { part.head.with(&fresh.calls) };
                Some(self.row(head, packed))
            }
        })
    }

    fn row(&self, head: Head, packed: Vec<u8>) -> call_trees::entity::Model {
        let started_at = head.begin();
        call_trees::entity::Model {
            tenant_id: head.tenant,
            id: trace::tree_id(head.project, &head.trace_id, &packed, started_at),
            project_id: head.project,
            call_count: i64::from(head.calls),
            is_final: false,
            started_at,
            ended_at: DateTime::from_timestamp_nanos(head.end_ns),
            created_at: self.now,
            updated_at: self.now,
            trace_id: head.trace_id,
            calls: packed,
        }
    }

    /// Counts a trace, and keeps its records.
    fn tell(&mut self, owner: Owner, trace_id: &str, joined: Joined, is_again: bool) -> Result<()> {
        let is_cut = joined.is_cut;
        self.raised.extend(errors(owner, trace_id, &joined.all));
        let trace = Trace::new(owner, trace_id, joined.all);
        trace.count(&mut self.sums, self.names, self.settings, 1);
        let limits = self.limits.get(&owner).cloned().unwrap_or_default();
        for mut told in trace.records(is_cut, &limits, self.now)? {
            if is_again && told.record.findings.is_none() {
                // in place of those that there may have been
                told.record.findings = Some(Diagnosis::none());
            }
            let minute = Granularity::Minute.bucket(told.record.created_at);
            for (function, share) in told.shares {
                self.shares.entry((owner, minute, function)).or_default().push(share);
            }
            self.records.insert(told.record.id.0, told.record);
        }
        Ok(())
    }

    /// Writes it all.
    pub(super) async fn write(self, tx: &Tx<System>, node: NodeId) -> Result<()> {
        let now = self.now;
        let mut trees: Vec<_> = self.trees.into_values().collect();
        trees.sort_unstable_by_key(|row| (row.tenant_id, row.id));
        let mut records: Vec<_> = self.records.into_values().collect();
        records.sort_unstable_by_key(|row| (row.tenant_id, row.id));
        let mut shares: Vec<_> = self
            .shares
            .into_iter()
            .map(|((owner, minute, function), shares)| {
                record_functions::row(owner, function, minute, &shares, now)
            })
            .collect();
        shares.sort_unstable_by_key(|row| (row.tenant_id, row.id));
        tx.bulk(call_trees::rows(trees)).await?;
        tx.bulk(performance_records::rows(records)).await?;
        tx.bulk(record_functions::rows(shares)).await?;
        self.sums.endpoints.write(tx, node, now).await?;
        self.sums.functions.write(tx, node, now).await?;
        error_logs::insert_reported(tx, node, self.raised).await
    }
}

/// Whether a trace has nothing to wait for: all its calls have those that made them, and its requests those that serve
/// them.
fn is_whole(known: &Opened) -> bool {
    let ids: std::collections::HashSet<&str> = known.calls.iter().map(|call| call.id.as_str()).collect();
    let has_parents =
        known.calls.iter().all(|call| call.parent.as_deref().is_none_or(|parent| ids.contains(parent)));
    !known.entries.is_empty()
        && has_parents
        && known.entries.iter().all(|(_, entry)| ids.contains(entry.call_id.as_str()))
}
