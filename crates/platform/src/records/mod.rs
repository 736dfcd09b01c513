//! Records that nobody waits for: of requests and errors, through the journal.
//!
//! Unlike a call, which is not answered before it is on record, a record here gives way: when the journal is half full,
//! or refuses, it is dropped and counted. Accounting must never fail for the sake of a log.

#[cfg(test)]
pub(crate) mod bed;
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
pub use settings::{Policy, ProjectRetention, RETENTION, RetentionSettings, Whose};
pub(crate) use throttle::Throttle;

/// Kinds of frames. Those below 16 are the gateway's.
pub(crate) const API_LOG: u8 = 16;
pub(crate) const ERROR_LOG: u8 = 17;

/// How often it is looked whether the journal has room.
const LOOK: Duration = Duration::from_millis(100);

/// The way of records into the journal. Cheap to clone.
#[derive(Clone)]
pub struct Records(Arc<Inner>);

struct Inner {
    journal: Journal,
    clock: Clock,
    /// Bytes on disk beyond which no record is taken.
    limit: u64,
    room: AtomicBool,
}

impl Records {
    /// Into a journal, of whose bytes on disk records may use the first half.
    pub fn new(journal: Journal, budget: u64, clock: Clock) -> Self {
        Self(Arc::new(Inner { journal, clock, limit: budget / 2, room: AtomicBool::new(true) }))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn node(&self) -> NodeId {
        NodeId(Uuid::from_bytes(self.0.journal.id()))
    }

    /// Takes a record, or drops it; never waits.
    pub(crate) fn append(&self, tenant: TenantId, kind: u8, id: Uuid, parts: &[&[u8]]) {
        let owner = Owner { id: tenant.0.into_bytes(), bounded: true };
        let taken = self.0.room.load(Ordering::Relaxed)
            && self.0.journal.append_for(owner, kind, id.into_bytes(), parts).is_ok();
        if taken {
            taken_of(kind).increment(1);
        } else {
            dropped(name_of(kind), "journal_full");
        }
    }

    /// Watches how full the journal is, until stopped.
    pub async fn watch_room(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let room = self.0.journal.stats().segment_bytes <= self.0.limit;
            self.0.room.store(room, Ordering::Relaxed);
        }
    }
}

fn name_of(kind: u8) -> &'static str {
    if kind == API_LOG { "api_logs" } else { "error_logs" }
}

/// The counter of a kind. It is looked up once, as that costs more than to count.
fn taken_of(kind: u8) -> &'static Counter {
    static COUNTERS: [OnceLock<Counter>; 2] = [const { OnceLock::new() }; 2];
    COUNTERS[usize::from(kind == API_LOG)]
        .get_or_init(|| metrics::counter!("loam_records_total", "kind" => name_of(kind)))
}

/// Counts a record that was dropped.
pub(crate) fn dropped(kind: &'static str, why: &'static str) {
    metrics::counter!("loam_records_dropped_total", "kind" => kind, "why" => why).increment(1);
}

/// The first characters of a text.
pub(crate) fn shortened(text: &str, max: usize) -> String {
    // no text has more characters than bytes
    if text.len() <= max { text.to_owned() } else { text.chars().take(max).collect() }
}
