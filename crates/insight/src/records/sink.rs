//! From the journal into `performance_records` and `call_trees`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use loam_db::{System, Tx};
use loam_journal::Frame;
use loam_kernel::{Clock, Result, TenantId};
use loam_platform::drain::Sink;

use super::row::row;
use crate::trace::{self, Part, RECORDS, Tree};
use crate::{call_trees, performance_records};

/// Drains what applications told.
pub(crate) struct RecordSink {
    clock: Clock,
}

impl RecordSink {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

#[async_trait]
impl Sink for RecordSink {
    fn takes(&self, kind: u8) -> bool {
        kind == RECORDS
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        trace::read(frame).map_or(TenantId::NIL, |part| part.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let parts: Vec<Part> = frames.iter().map(trace::read).collect::<Result<_>>()?;
        let now = self.clock.now();
        let (mut records, mut trees) = (Vec::new(), Vec::new());
        for part in parts {
            trees.push(tree_row(&part, now)?);
            let tree = Tree::new(part.calls.iter().cloned());
            for entry in &part.entries {
                records.extend(row(&part, entry, &tree, now)?);
            }
        }
        tx.bulk(call_trees::rows(&trees)).await?;
        tx.bulk(performance_records::rows(&records)).await
    }
}

fn tree_row(part: &Part, now: DateTime<Utc>) -> Result<call_trees::entity::Model> {
    let calls = trace::pack_calls(&part.calls)?;
    let begin = part.calls.iter().map(|call| call.start_ns).min().unwrap_or_default();
    let end = part.calls.iter().map(|call| call.start_ns.saturating_add_unsigned(call.duration_ns)).max();
    let started_at = DateTime::from_timestamp_nanos(begin);
    Ok(call_trees::entity::Model {
        tenant_id: part.tenant,
        id: trace::tree_id(part.project, &part.trace_id, &calls, started_at),
        project_id: part.project,
        trace_id: part.trace_id.clone(),
        call_count: i64::try_from(part.calls.len()).unwrap_or(i64::MAX),
        is_final: false,
        started_at,
        ended_at: DateTime::from_timestamp_nanos(end.unwrap_or(begin)),
        created_at: now,
        updated_at: now,
        calls,
    })
}
