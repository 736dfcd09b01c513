//! How a node runs jobs.

use std::time::Duration;

use loam_kernel::{Error, Result};
use serde::Deserialize;

/// How a node runs jobs. All times are in milliseconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Jobs that run at once on this node, 1 to 64. From 4 on a tenant has at most three quarters of the places.
    pub concurrency: u16,
    /// Jobs at once, beside those, whose runs mostly wait for others: deliveries, answers in channels, analyses by a
    /// model; 1 to 512. A tenant has at most a quarter of the places.
    pub waiting: u16,
    /// How often the queue is looked at when nothing wakes the runner.
    pub poll_ms: u64,
    /// How long a node has a job to itself without a sign of life.
    pub lease_ms: u64,
    /// How often a running job's lease is renewed; at most a third of the lease, so that one miss does no harm.
    pub heartbeat_ms: u64,
}

/// How many jobs run at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    /// On this node.
    pub(crate) all: usize,
    /// Of one tenant.
    pub(crate) each: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { concurrency: 4, waiting: 32, poll_ms: 1_000, lease_ms: 30_000, heartbeat_ms: 10_000 }
    }
}

impl Config {
    /// Refuses what can't work.
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

    /// The places for jobs whose runs mostly wait, or for the others; and how many of them one tenant may have.
    pub(crate) fn places(&self, waits: bool) -> Places {
        if waits {
            let all = usize::from(self.waiting);
            // such a run ends when somebody else pleases, so what is left to others has to be much
            Places { all, each: (all / 4).max(1) }
        } else {
            let all = usize::from(self.concurrency);
            Places { all, each: all - all / 4 }
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
