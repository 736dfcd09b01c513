//! Jobs that come again and again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_kernel::{Clock, Error, Result, Scope, TenantId};
use serde_json::Value;

use crate::enqueue::{NewJob, enqueue};
use crate::retention::KEEP_FINISHED;

/// A job of the instance, enqueued once a slot over all nodes. Slots begin at whole multiples of `every` since 1970.
/// Slots that passed while no node was up are not made up for, but for the latest.
#[derive(Clone, Debug)]
pub struct Schedule {
    kind: &'static str,
    every: Duration,
    payload: Value,
}

impl Schedule {
    /// A schedule with an empty payload. `every` is in whole seconds, and at most half the time for which finished jobs
    /// are kept: it is the kept job that says that a slot has had its turn.
    pub fn new(kind: &'static str, every: Duration) -> Result<Self> {
        if every.subsec_nanos() != 0 || every.is_zero() || every > KEEP_FINISHED / 2 {
            return Err(Error::invalid("every", "must be in whole seconds, from 1 second to 7 days"));
        }
        Ok(Self { kind, every, payload: Value::Null })
    }

    /// What the handler is given.
    #[must_use]
    pub fn with_payload(mut self, payload: Value) -> Self {
        self.payload = payload;
        self
    }

    /// The slot of a moment, as its begin in seconds since 1970.
    fn slot(&self, now: DateTime<Utc>) -> i64 {
        let every = i64::try_from(self.every.as_secs()).unwrap_or(i64::MAX);
        now.timestamp().div_euclid(every) * every
    }
}

/// Remembers which slots this node has seen to, so that an idle poll asks the database nothing.
pub(crate) struct Scheduler {
    schedules: Vec<(Schedule, Option<i64>)>,
}

impl Scheduler {
    pub(crate) fn new(schedules: Vec<Schedule>) -> Self {
        Self { schedules: schedules.into_iter().map(|schedule| (schedule, None)).collect() }
    }

    /// Enqueues the slots that have begun since the last call.
    pub(crate) async fn enqueue_due(&mut self, db: &Db, clock: &Clock) -> Result<()> {
        let now = clock.now();
        if self.schedules.iter().all(|(schedule, seen)| *seen == Some(schedule.slot(now))) {
            return Ok(());
        }
        let tx = db.system_write(&Scope::system(TenantId::NIL, "schedule")).await?;
        for (schedule, seen) in &self.schedules {
            let slot = schedule.slot(now);
            if *seen != Some(slot) {
                let job = NewJob::new(schedule.kind, &schedule.payload).unique(format!("slot:{slot}"));
                enqueue(&tx, clock, job).await?;
            }
        }
        tx.commit().await?;
        for (schedule, seen) in &mut self.schedules {
            *seen = Some(schedule.slot(now));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_aligned_to_the_epoch() {
        let schedule = Schedule::new("test", Duration::from_secs(3600)).expect("an hour is allowed");
        let at = |secs| DateTime::from_timestamp(secs, 999).expect("a time");
        assert_eq!(schedule.slot(at(0)), 0);
        assert_eq!(schedule.slot(at(3599)), 0);
        assert_eq!(schedule.slot(at(7201)), 7200);
    }

    #[test]
    fn a_slot_longer_than_its_record_is_refused() {
        for every in [Duration::ZERO, Duration::from_millis(1500), Duration::from_secs(8 * 86_400)] {
            assert!(Schedule::new("test", every).is_err(), "{every:?}");
        }
    }
}
