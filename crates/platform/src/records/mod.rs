//! Best-effort records of requests and errors, through the journal.
//!
//! Unlike a call, which must be recorded before its response, a record here can be dropped: when the journal is half full
//! or rejects it, it is dropped and counted. Accounting must never fail because of a log.

#[cfg(test)]
pub(crate) mod fixture;
mod names;
pub mod redact;
mod retention;
mod settings;
mod throttle;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use loam_journal::{Journal, Owner};
use loam_kernel::{Clock, NodeId, TenantId};
use metrics::Counter;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use redact::{is_secret_parameter, json, text};
pub use retention::Retention;
pub use settings::{Policy, PolicyTarget, ProjectRetention, RETENTION, RetentionSettings};
pub(crate) use throttle::Throttle;

/// Kinds of frames. Those below 16 are the gateway's.
pub(crate) const API_LOG: u8 = 16;
pub(crate) const ERROR_LOG: u8 = 17;

/// How often the capacity of the journal is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Appends records to the journal. Cheap to clone.
#[derive(Clone)]
pub struct Records(Arc<Inner>);

struct Inner {
    journal: Journal,
    clock: Clock,
    /// Bytes on disk above which records are dropped.
    limit: u64,
    has_capacity: AtomicBool,
}

impl Records {
    /// Records in a journal may use half of its disk budget.
    pub fn new(journal: Journal, budget: u64, clock: Clock) -> Self {
        Self(Arc::new(Inner { journal, clock, limit: budget / 2, has_capacity: AtomicBool::new(true) }))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn node(&self) -> NodeId {
        NodeId(Uuid::from_bytes(self.0.journal.id()))
    }

    /// Appends a record, or drops it; never blocks.
    pub(crate) fn append(&self, tenant: TenantId, kind: u8, id: Uuid, parts: &[&[u8]]) {
        let owner = Owner { id: tenant.0.into_bytes(), bounded: true };
        let taken = self.0.has_capacity.load(Ordering::Relaxed)
            && self.0.journal.append_for(owner, kind, id.into_bytes(), parts).is_ok();
        if taken {
            counter_of(kind).increment(1);
        } else {
            dropped(name_of(kind), "journal_full");
        }
    }

    /// Monitors the capacity of the journal, until stopped.
    pub async fn monitor_capacity(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await.is_some() {
            let has_capacity = self.0.journal.stats().segment_bytes <= self.0.limit;
            self.0.has_capacity.store(has_capacity, Ordering::Relaxed);
        }
    }
}

fn name_of(kind: u8) -> &'static str {
    if kind == API_LOG { "api_logs" } else { "error_logs" }
}

/// The counter of a kind, cached because the look-up costs more than counting.
fn counter_of(kind: u8) -> &'static Counter {
    static COUNTERS: [OnceLock<Counter>; 2] = [const { OnceLock::new() }; 2];
    COUNTERS[usize::from(kind == API_LOG)]
        .get_or_init(|| metrics::counter!("loam_records_total", "kind" => name_of(kind)))
}

/// Counts a record that was dropped.
pub(crate) fn dropped(kind: &'static str, why: &'static str) {
    metrics::counter!("loam_records_dropped_total", "kind" => kind, "why" => why).increment(1);
}
