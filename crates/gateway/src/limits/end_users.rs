//! The meters of end users with limits.
//!
//! An application may have any number of end users, so a meter is there only while its end user makes calls, and is read
//! from the database again when they return. Nothing is lost or counted twice in between: what was settled and isn't
//! drained yet is remembered for each tenant with such limits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use loam_journal::Position;
use loam_kernel::TenantId;

use super::meter::{Meter, SettledUsage};
use super::subject::{Subject, end_user_subject};
use crate::llm_calls::record::Record;

/// Meters beyond which those of nobody who is making a call are forgotten.
const MAX_METERS: usize = 50_000;
/// How long a meter stays after its last call, if it would have to be kept up to date with other nodes.
const IDLE: TimeDelta = TimeDelta::minutes(1);

/// The end user of a call, as the tenant's and as the key's.
fn subjects(record: &Record) -> impl Iterator<Item = Subject> {
    let scopes = [Some(record.tenant.0), record.api_key.map(|id| id.0)];
    let name = record.end_user.as_deref();
    scopes.into_iter().flatten().filter_map(move |scope| Some(end_user_subject(record.tenant, scope, name?)))
}

/// The meters in use, and what new ones begin with.
#[derive(Default)]
pub(super) struct EndUserMeters(Mutex<State>);

#[derive(Default)]
struct State {
    followed: HashMap<TenantId, Followed>,
    meters: HashMap<Subject, InUse>,
}

/// A tenant with limits for end users.
#[derive(Default)]
struct Followed {
    /// Whether everything from before it was followed is drained.
    is_ready: bool,
    /// What was settled since, and may not be drained.
    recent: VecDeque<(Vec<Subject>, SettledUsage)>,
}

struct InUse {
    name: String,
    meter: Arc<Meter>,
    used_at: DateTime<Utc>,
}

/// A meter in use, with the end user's name.
pub(super) struct Named {
    pub(super) subject: Subject,
    pub(super) name: String,
    pub(super) meter: Arc<Meter>,
}

impl EndUserMeters {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what the tenant's end users use from now on; returns whether that is complete already.
    pub(super) fn follow(&self, tenant: TenantId) -> bool {
        self.lock().followed.entry(tenant).or_default().is_ready
    }

    /// Everything from before [`EndUserMeters::follow`] is drained.
    pub(super) fn set_ready(&self, tenant: TenantId) {
        self.lock().followed.entry(tenant).or_default().is_ready = true;
    }

    /// Records the usage of a settled call.
    pub(super) fn record_usage(
        &self,
        record: &Record,
        usage: SettledUsage,
        drained: Position,
        now: DateTime<Utc>,
    ) {
        let mut state = self.lock();
        let State { followed, meters } = &mut *state;
        let Some(Followed { recent, .. }) = followed.get_mut(&record.tenant) else { return };
        let subjects: Vec<Subject> = subjects(record).collect();
        for in_use in subjects.iter().filter_map(|subject| meters.get(subject)) {
            in_use.meter.record_usage(usage, now);
        }
        while recent.front().is_some_and(|(_, first)| first.position <= drained) {
            recent.pop_front();
        }
        // what could not be written to the journal is never drained
        if usage.position < Position(u64::MAX) {
            recent.push_back((subjects, usage));
        }
    }

    /// The meter of an end user, which may have to be loaded.
    pub(super) fn meter(&self, subject: Subject, name: &str, now: DateTime<Utc>) -> Arc<Meter> {
        let mut state = self.lock();
        let State { followed, meters } = &mut *state;
        if let Some(in_use) = meters.get_mut(&subject) {
            in_use.used_at = now;
            return in_use.meter.clone();
        }
        if meters.len() >= MAX_METERS {
            meters.retain(|_, in_use| Arc::strong_count(&in_use.meter) > 1);
        }
        let recent = followed.get(&subject.0).into_iter().flat_map(|followed| &followed.recent);
        let recent = recent.filter(|(subjects, _)| subjects.contains(&subject));
        // a new meter has not counted the start of these calls
        let pending = recent.map(|(_, usage)| SettledUsage { requests: 1, ..*usage }).collect();
        let meter = Arc::new(Meter::with_pending(now, pending));
        meters.insert(subject, InUse { name: name.to_owned(), meter: meter.clone(), used_at: now });
        meter
    }

    /// The meters of those who made a call lately; the others are forgotten.
    pub(super) fn in_use(&self, now: DateTime<Utc>) -> Vec<Named> {
        let mut state = self.lock();
        state.meters.retain(|_, in_use| Arc::strong_count(&in_use.meter) > 1 || now - in_use.used_at < IDLE);
        let named = |(subject, in_use): (&Subject, &InUse)| Named {
            subject: *subject,
            name: in_use.name.clone(),
            meter: in_use.meter.clone(),
        };
        state.meters.iter().map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::meter::WindowSums;
    use super::*;

    #[test]
    fn a_meter_that_was_forgotten_has_what_is_not_drained_yet() {
        let now: DateTime<Utc> = "2026-05-05T12:00:10Z".parse().expect("a time");
        let tenant: TenantId = Uuid::from_u128(1).into();
        let record = Record { tenant, end_user: Some("bob".to_owned()), ..Record::default() };
        let usage =
            |position| SettledUsage { position, call_started_at: now, requests: 0, tokens: 10, nano_usd: 5 };
        let meters = EndUserMeters::default();
        meters.record_usage(&record, usage(Position(1)), Position(0), now);
        assert!(!meters.follow(tenant), "what was before is not known");
        for position in 2..5 {
            meters.record_usage(&record, usage(Position(position)), Position(0), now);
        }
        meters.set_ready(tenant);
        assert!(meters.follow(tenant));
        let subject = end_user_subject(tenant, tenant.0, "bob");
        let meter = meters.meter(subject, "bob", now);
        meters.record_usage(&record, usage(Position(5)), Position(3), now);
        // the database has the first three
        let mut own = WindowSums::at(now);
        (own.minute_requests, own.minute_tokens, own.day_nano_usd) = (3, 30, 15);
        meter.load(own, WindowSums::at(now), Position(3), now);
        let used = meter.used(now);
        assert_eq!((used.minute_requests, used.minute_tokens, used.day_nano_usd), (4, 50, 25));
        drop(meter);
        assert_eq!(meters.in_use(now).len(), 1);
        assert!(meters.in_use(now + IDLE).is_empty(), "it is forgotten when idle");
        assert_ne!(subject, end_user_subject(tenant, tenant.0, "ann"));
        assert_ne!(subject, end_user_subject(tenant, Uuid::from_u128(2), "bob"));
    }
}
