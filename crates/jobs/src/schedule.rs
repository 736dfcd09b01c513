//! Recurring jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_db::Db;
use loam_kernel::{Clock, Error, Result, Scope, TenantId};
use serde_json::Value;

use crate::enqueue::{NewJob, enqueue};
use crate::retention::KEEP_FINISHED;

/// A recurring job of the instance, enqueued once per slot over all nodes. Slots begin at multiples of
/// `every` since 1970. Of the slots missed while no node was running, only the latest is run.
#[derive(Clone, Debug)]
pub struct Schedule {
    kind: &'static str,
    every: Duration,
    payload: Value,
}

impl Schedule {
    /// A schedule with an empty payload. `every` is in whole seconds, and at most half the retention period
    /// of finished jobs, because the stored job marks its slot as done.
    pub fn new(kind: &'static str, every: Duration) -> Result<Self> {
        if every.subsec_nanos() != 0 || every.is_zero() || every > KEEP_FINISHED / 2 {
            return Err(Error::invalid("every", "must be in whole seconds, from 1 second to 7 days"));
        }
        Ok(Self { kind, every, payload: Value::Null })
    }

    /// The schedules with the configured intervals.
    ///
    /// # Errors
    /// `invalid_value` for an interval that [`Schedule::new`] rejects, and for a kind without a schedule.
    pub(crate) fn configured(schedules: &[Self], seconds: &BTreeMap<String, u64>) -> Result<Vec<Self>> {
        let param = |kind: &str| format!("jobs.schedule_seconds.{kind}");
        if let Some(kind) =
            seconds.keys().find(|kind| !schedules.iter().any(|schedule| schedule.kind == **kind))
        {
            return Err(Error::invalid(param(kind), "there is no such recurring job"));
        }
        let configured = schedules.iter().map(|schedule| match seconds.get(schedule.kind) {
            Some(seconds) => Self::new(schedule.kind, Duration::from_secs(*seconds))
                .map(|new| new.with_payload(schedule.payload.clone()))
                .map_err(|e| e.with_param(param(schedule.kind))),
            None => Ok(schedule.clone()),
        });
        configured.collect()
    }

    /// Sets the input of the handler.
    #[must_use]
    pub fn with_payload(mut self, payload: Value) -> Self {
        self.payload = payload;
        self
    }

    /// The slot that contains a time, as its start in seconds since 1970.
    fn slot(&self, now: DateTime<Utc>) -> i64 {
        let every = i64::try_from(self.every.as_secs()).unwrap_or(i64::MAX);
        now.timestamp().div_euclid(every) * every
    }
}

/// Remembers which slots this node has enqueued, so that an idle poll needs no query.
pub(crate) struct Scheduler {
    schedules: Vec<(Schedule, Option<i64>)>,
}

impl Scheduler {
    pub(crate) fn new(schedules: Vec<Schedule>) -> Self {
        Self { schedules: schedules.into_iter().map(|schedule| (schedule, None)).collect() }
    }

    /// Enqueues the slots that have started since the last call.
    pub(crate) async fn enqueue_due(&mut self, db: &Db, clock: &Clock) -> Result<()> {
        let now = clock.now();
        if self.schedules.iter().all(|(schedule, enqueued)| *enqueued == Some(schedule.slot(now))) {
            return Ok(());
        }
        let tx = db.system_write(&Scope::system(TenantId::NIL, "schedule")).await?;
        for (schedule, enqueued) in &self.schedules {
            let slot = schedule.slot(now);
            if *enqueued != Some(slot) {
                let job = NewJob::new(schedule.kind, &schedule.payload).unique(format!("slot:{slot}"));
                enqueue(&tx, clock, job).await?;
            }
        }
        tx.commit().await?;
        for (schedule, enqueued) in &mut self.schedules {
            *enqueued = Some(schedule.slot(now));
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
    fn an_interval_can_be_configured_by_kind() {
        let new =
            |kind| Schedule::new(kind, Duration::from_mins(1)).expect("valid").with_payload(kind.into());
        let seconds = |kind: &str, seconds| BTreeMap::from([(kind.to_owned(), seconds)]);
        let schedules = Schedule::configured(&[new("one"), new("two")], &seconds("two", 5)).expect("valid");
        let found: Vec<_> =
            schedules.iter().map(|one| (one.kind, one.every.as_secs(), &one.payload)).collect();
        assert_eq!(found, [("one", 60, &"one".into()), ("two", 5, &"two".into())]);
        for (kind, every) in [("three", 5), ("two", 0), ("two", 8 * 86_400)] {
            let refused = Schedule::configured(&[new("one"), new("two")], &seconds(kind, every));
            let param = format!("jobs.schedule_seconds.{kind}");
            assert_eq!(refused.expect_err("invalid").param(), Some(param.as_str()));
        }
    }

    #[test]
    fn an_interval_longer_than_the_retention_is_rejected() {
        for every in [Duration::ZERO, Duration::from_millis(1500), Duration::from_secs(8 * 86_400)] {
            assert!(Schedule::new("test", every).is_err(), "{every:?}");
        }
    }
}
