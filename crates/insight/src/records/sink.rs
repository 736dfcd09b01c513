//! From the journal into records, trees and sums.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::{System, Tx};
use loam_identity::projects::{self, service::MonitoringConfig};
use loam_journal::Frame;
use loam_kernel::{Clock, NodeId, Result, TenantId};
use loam_platform::drain::Sink;
use loam_platform::system_config::LiveConfig;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::batch::{Batch, Part};
use super::names::{Names, Owner};
use super::settings::StorageSettings;
use super::stored::{self, StoredPart, TraceKey};
use crate::call_trees::entity::Entity as CallTrees;
use crate::rules::Limits;
use crate::trace::{self, Head, RECORDS, open};

/// How far ahead of this server's clock calls may lie: further than ingest takes them, as what it took must not be lost.
const AHEAD: TimeDelta = TimeDelta::days(2);
/// Calls of traces of which parts are there already that are opened at once.
const OPEN_AT_ONCE: i64 = 200_000;

/// Drains what applications told.
pub(crate) struct RecordSink {
    clock: Clock,
    node: NodeId,
    settings: LiveConfig<StorageSettings>,
    rules: LiveConfig<Limits>,
    names: Mutex<Names>,
}

impl RecordSink {
    pub(crate) fn new(
        clock: Clock,
        node: NodeId,
        settings: LiveConfig<StorageSettings>,
        rules: LiveConfig<Limits>,
    ) -> Self {
        Self { clock, node, settings, rules, names: Mutex::default() }
    }

    /// Writes parts with all that follows from them.
    pub(super) async fn take(&self, tx: &Tx<System>, parts: Vec<Part>) -> Result<()> {
        let (now, settings) = (self.clock.now(), self.settings.get());
        let mut traces: HashMap<TraceKey, Vec<Part>> = HashMap::new();
        let (parts, slow) = of_projects(tx, parts).await?;
        let Some(from) = parts.iter().map(|part| part.head.begin()).min() else { return Ok(()) };
        let to = parts.iter().map(|part| part.head.begin()).max().unwrap_or(from);
        for part in parts {
            let owner = (part.head.tenant, part.head.project);
            traces.entry((owner, part.head.trace_id.clone())).or_default().push(part);
        }
        let mut owners: Vec<Owner> = traces.keys().map(|(owner, _)| *owner).collect();
        owners.sort_unstable();
        owners.dedup();
        // what several nodes are told of one trace is joined by one of them after the other
        tx.exclude(owners.iter().map(|(_, project)| project.0)).await?;
        let mut names = self.names.lock().await;
        names.prepare(tx, &owners, &settings, now).await?;
        let keys: Vec<TraceKey> = traces.keys().cloned().collect();
        let mut stored = stored::find(tx, &keys, (from, to)).await?;
        let limits = slow.into_iter().map(|(owner, seconds)| {
            (owner, self.rules.of(owner.0).as_ref().clone().with_slow_request(seconds))
        });
        let mut batch = Batch::new(&settings, limits.collect(), &mut names, now);
        let (mut known, mut opened) = (Vec::new(), 0);
        for (key, parts) in traces {
            match stored.remove(&key) {
                None => batch.add(&key, Vec::new(), parts)?,
                Some(there) => {
                    opened += there.iter().map(|part| part.call_count).sum::<i64>();
                    known.push((key, there, parts));
                    if opened >= OPEN_AT_ONCE {
                        join(tx, &mut batch, std::mem::take(&mut known)).await?;
                        opened = 0;
                    }
                }
            }
        }
        join(tx, &mut batch, known).await?;
        batch.write(tx, self.node).await?;
        names.write(tx, now).await
    }
}

/// Adds parts of traces of which others are there.
async fn join(
    tx: &Tx<System>,
    batch: &mut Batch<'_>,
    traces: Vec<(TraceKey, Vec<StoredPart>, Vec<Part>)>,
) -> Result<()> {
    let keys: Vec<(TenantId, Uuid)> =
        traces.iter().flat_map(|(_, there, _)| there).map(|part| (part.tenant_id, part.id.0)).collect();
    let mut packed: HashMap<Uuid, Vec<u8>> = HashMap::new();
    for row in tx.get_many::<CallTrees>(&keys).await? {
        packed.insert(row.id.0, row.calls);
    }
    for (key, there, parts) in traces {
        let mut opened = Vec::with_capacity(there.len());
        for part in there {
            if let Some(packed) = packed.remove(&part.id.0) {
                opened.push((part.started_at, open(&packed)?));
            }
        }
        batch.add(&key, opened, parts)?;
    }
    Ok(())
}

/// The parts whose projects are there, and the seconds from which each project calls a request slow. A project may be
/// deleted while its last parts are in the journal.
async fn of_projects(tx: &Tx<System>, parts: Vec<Part>) -> Result<(Vec<Part>, HashMap<Owner, f64>)> {
    let mut keys: Vec<(TenantId, Uuid)> =
        parts.iter().map(|part| (part.head.tenant, part.head.project.0)).collect();
    keys.sort_unstable();
    keys.dedup();
    let rows = tx.get_many::<projects::entity::Entity>(&keys).await?;
    let there: HashMap<Owner, f64> = rows
        .into_iter()
        .map(|project| {
            let config: MonitoringConfig = serde_json::from_value(project.config).unwrap_or_default();
            ((project.tenant_id, project.id), config.alert_threshold.response_time)
        })
        .collect();
    let (kept, lost): (Vec<Part>, Vec<Part>) =
        parts.into_iter().partition(|part| there.contains_key(&(part.head.tenant, part.head.project)));
    dropped("no_project", lost.len());
    Ok((kept, there))
}

fn dropped(why: &'static str, parts: usize) {
    if parts > 0 {
        metrics::counter!("loam_insight_parts_dropped_total", "reason" => why).increment(parts as u64);
    }
}

/// Whether a part begins in a time that is taken.
fn is_timely(head: &Head, settings: &StorageSettings, now: DateTime<Utc>) -> bool {
    let at = head.begin();
    now - TimeDelta::days(i64::from(settings.late_days)) <= at && at <= now + AHEAD
}

#[async_trait]
impl Sink for RecordSink {
    fn takes(&self, kind: u8) -> bool {
        kind == RECORDS
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        trace::read(frame).map_or(TenantId::NIL, |(head, _)| head.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let (now, settings) = (self.clock.now(), self.settings.get());
        let mut parts = Vec::with_capacity(frames.len());
        for frame in frames {
            let (head, packed) = trace::read(frame)?;
            if head.calls == 0 {
                dropped("empty", 1);
            } else if is_timely(&head, &settings, now) {
                parts.push(Part { head, packed: packed.to_vec() });
            } else {
                dropped("time", 1);
            }
        }
        self.take(tx, parts).await
    }
}
