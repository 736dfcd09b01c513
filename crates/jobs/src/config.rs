//! Configuration of the job runner of a node.

use std::collections::BTreeMap;
use std::time::Duration;

use loam_kernel::{Error, Result};
use serde::Deserialize;

/// Configuration of the job runner of a node. Times are in milliseconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Concurrent jobs on this node, 1 to 64. From 4 on, a tenant may use at most three quarters of them.
    pub concurrency: u16,
    /// Additional concurrent jobs of kinds that mostly wait for other services: deliveries, answers in
    /// channels, analyses by a model; 1 to 512. A tenant may use at most a quarter of them.
    pub waiting: u16,
    /// Interval of polling the queue when nothing wakes the runner.
    pub poll_ms: u64,
    /// Duration of a lease without renewal.
    pub lease_ms: u64,
    /// Interval of renewing a running job's lease; at most a third of the lease, so that one missed renewal
    /// does no harm.
    pub heartbeat_ms: u64,
    /// Seconds between the runs of recurring jobs, by kind, where they differ from the defaults; 1 second to
    /// 7 days.
    pub schedule_seconds: BTreeMap<String, u64>,
}

/// Limits on concurrent jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    /// On this node.
    pub(crate) all: usize,
    /// Per tenant.
    pub(crate) each: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency: 4,
            waiting: 32,
            poll_ms: 1_000,
            lease_ms: 30_000,
            heartbeat_ms: 10_000,
            schedule_seconds: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Rejects invalid values.
    pub fn check(&self) -> Result<()> {
        if !(1..=64).contains(&self.concurrency) {
            return Err(Error::invalid("jobs.concurrency", "must be between 1 and 64"));
        }
        if !(1..=512).contains(&self.waiting) {
            return Err(Error::invalid("jobs.waiting", "must be between 1 and 512"));
        }
        if !(10..=60_000).contains(&self.poll_ms) {
            return Err(Error::invalid("jobs.poll_ms", "must be between 10 and 60,000"));
        }
        if !(300..=3_600_000).contains(&self.lease_ms) {
            return Err(Error::invalid("jobs.lease_ms", "must be between 300 and 3,600,000"));
        }
        if self.heartbeat_ms == 0 || self.heartbeat_ms > self.lease_ms / 3 {
            return Err(Error::invalid(
                "jobs.heartbeat_ms",
                "must be at least 1 and at most a third of `jobs.lease_ms`",
            ));
        }
        Ok(())
    }

    /// The slots for kinds whose runs mostly wait, or for the others.
    pub(crate) fn slots(&self, waits: bool) -> Slots {
        if waits {
            let all = usize::from(self.waiting);
            // Such a run may last arbitrarily long, so a large share is left to other tenants.
            Slots { all, each: (all / 4).max(1) }
        } else {
            let all = usize::from(self.concurrency);
            Slots { all, each: all - all / 4 }
        }
    }

    pub(crate) fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }
}
