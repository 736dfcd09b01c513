//! Drains trace chunks from the journal into records, stored chunks and statistics.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{System, Tx};
use loam_identity::projects::response_time_thresholds;
use loam_journal::Frame;
use loam_kernel::{Clock, NodeId, Result, TenantId};
use loam_platform::drain::Sink;
use loam_platform::personal::Guard;
use loam_platform::system_config::LiveConfig;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::batch::{Batch, PackedChunk};
use super::name_limit::{NameLimiter, ProjectKey};
use super::settings::StorageSettings;
use super::stored_chunks::{self, StoredChunk, TraceKey};
use crate::call_trees::entity::Entity as CallTrees;
use crate::rules::Limits;
use crate::trace::{self, ChunkHeader, RECORDS, unpack};

/// Maximum clock skew into the future: more than ingest accepts, since accepted telemetry must not be lost.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::days(2);
/// Number of stored spans that are unpacked at a time, of traces that get further chunks.
const UNPACK_AT_ONCE: i64 = 200_000;

/// Drains trace chunks.
pub(crate) struct RecordSink {
    clock: Clock,
    node: NodeId,
    guard: Guard,
    settings: LiveConfig<StorageSettings>,
    rules: LiveConfig<Limits>,
    names: Mutex<NameLimiter>,
}

impl RecordSink {
    pub(crate) fn new(
        clock: Clock,
        node: NodeId,
        guard: Guard,
        settings: LiveConfig<StorageSettings>,
        rules: LiveConfig<Limits>,
    ) -> Self {
        Self { clock, node, guard, settings, rules, names: Mutex::default() }
    }

    /// Writes chunks with the records and statistics derived from them.
    pub(crate) async fn write_chunks(&self, tx: &Tx<System>, chunks: Vec<PackedChunk>) -> Result<()> {
        let (now, settings) = (self.clock.now(), self.settings.get());
        let mut traces: HashMap<TraceKey, Vec<PackedChunk>> = HashMap::new();
        let (chunks, slow_seconds) = filter_deleted_projects(tx, chunks).await?;
        let Some(from) = chunks.iter().map(|chunk| chunk.header.started_at()).min() else { return Ok(()) };
        let to = chunks.iter().map(|chunk| chunk.header.started_at()).max().unwrap_or(from);
        for chunk in chunks {
            let project_key = (chunk.header.tenant, chunk.header.project);
            traces.entry((project_key, chunk.header.trace_id.clone())).or_default().push(chunk);
        }
        let mut project_keys: Vec<ProjectKey> = traces.keys().map(|(project_key, _)| *project_key).collect();
        project_keys.sort_unstable();
        project_keys.dedup();
        // nodes that receive chunks of the same trace merge them one after the other
        tx.exclude(project_keys.iter().map(|(_, project)| project.0)).await?;
        let mut names = self.names.lock().await;
        names.prepare(tx, &project_keys, &settings, now).await?;
        let keys: Vec<TraceKey> = traces.keys().cloned().collect();
        let mut stored_by_trace = stored_chunks::find(tx, &keys, (from, to)).await?;
        let limits = slow_seconds.into_iter().map(|(project_key, seconds)| {
            (project_key, self.rules.of(project_key.0).as_ref().clone().with_slow_request(seconds))
        });
        let mut batch = Batch::new(&settings, limits.collect(), &mut names, now);
        let (mut existing, mut unpacked) = (Vec::new(), 0);
        for (key, chunks) in traces {
            match stored_by_trace.remove(&key) {
                None => batch.add(&key, Vec::new(), chunks)?,
                Some(stored) => {
                    unpacked += stored.iter().map(|chunk| chunk.call_count).sum::<i64>();
                    existing.push((key, stored, chunks));
                    if unpacked >= UNPACK_AT_ONCE {
                        merge(tx, &mut batch, std::mem::take(&mut existing)).await?;
                        unpacked = 0;
                    }
                }
            }
        }
        merge(tx, &mut batch, existing).await?;
        batch.write(tx, self.node, &self.guard).await?;
        names.write(tx, now).await
    }
}

/// Adds chunks of traces that have stored chunks.
async fn merge(
    tx: &Tx<System>,
    batch: &mut Batch<'_>,
    traces: Vec<(TraceKey, Vec<StoredChunk>, Vec<PackedChunk>)>,
) -> Result<()> {
    let keys: Vec<(TenantId, Uuid)> =
        traces.iter().flat_map(|(_, stored, _)| stored).map(|chunk| (chunk.tenant_id, chunk.id.0)).collect();
    let mut packed: HashMap<Uuid, Vec<u8>> = HashMap::new();
    for row in tx.get_many::<CallTrees>(&keys).await? {
        packed.insert(row.id.0, row.calls);
    }
    for (key, stored, chunks) in traces {
        let mut unpacked = Vec::with_capacity(stored.len());
        for chunk in stored {
            if let Some(packed) = packed.remove(&chunk.id.0) {
                unpacked.push((chunk.started_at, unpack(&packed)?));
            }
        }
        batch.add(&key, unpacked, chunks)?;
    }
    Ok(())
}

/// The chunks whose projects exist, and the seconds from which each project counts a request as slow. A project can be
/// deleted while its last chunks are in the journal.
async fn filter_deleted_projects(
    tx: &Tx<System>,
    chunks: Vec<PackedChunk>,
) -> Result<(Vec<PackedChunk>, HashMap<ProjectKey, f64>)> {
    let mut keys: Vec<ProjectKey> =
        chunks.iter().map(|chunk| (chunk.header.tenant, chunk.header.project)).collect();
    keys.sort_unstable();
    keys.dedup();
    let stored = response_time_thresholds(tx, &keys).await?;
    let (kept, orphaned): (Vec<PackedChunk>, Vec<PackedChunk>) = chunks
        .into_iter()
        .partition(|chunk| stored.contains_key(&(chunk.header.tenant, chunk.header.project)));
    count_dropped("no_project", orphaned.len());
    Ok((kept, stored))
}

fn count_dropped(reason: &'static str, chunks: usize) {
    if chunks > 0 {
        metrics::counter!("loam_insight_parts_dropped_total", "reason" => reason).increment(chunks as u64);
    }
}

/// Whether the start of a chunk is within the accepted period.
fn is_in_time_window(header: &ChunkHeader, settings: &StorageSettings, now: DateTime<Utc>) -> bool {
    let at = header.started_at();
    now - TimeDelta::days(i64::from(settings.late_days)) <= at && at <= now + MAX_CLOCK_SKEW
}

#[async_trait]
impl Sink for RecordSink {
    fn takes(&self, kind: u8) -> bool {
        kind == RECORDS
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        trace::decode_frame(frame).map_or(TenantId::NIL, |(header, _)| header.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let (now, settings) = (self.clock.now(), self.settings.get());
        let mut chunks = Vec::with_capacity(frames.len());
        for frame in frames {
            let (header, packed) = trace::decode_frame(frame)?;
            if header.span_count == 0 {
                count_dropped("empty", 1);
            } else if is_in_time_window(&header, &settings, now) {
                chunks.push(PackedChunk { header, packed: packed.to_vec() });
            } else {
                count_dropped("time", 1);
            }
        }
        self.write_chunks(tx, chunks).await
    }
}
