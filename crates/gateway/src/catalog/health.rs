//! Circuit breakers: a target or key that failed cools down, then one trial call decides whether it is used again.
//!
//! Held in memory, separate from the configuration, which is reloaded with every change: a change must not make Loam
//! forget that a provider is down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use loam_kernel::AiProviderId;

/// A trial without a result expires after this long, and another call may try.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest cool-down, however often a trial fails.
const MAX_COOL_DOWN: Duration = Duration::from_secs(300);

/// When a failing target or key cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoolDown {
    /// Consecutive failures.
    pub(crate) after: u32,
    /// The first cool-down; doubled with each trial that fails.
    pub(crate) duration: Duration,
}

/// Whether a target or key can be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Availability {
    /// No known failure.
    Available,
    /// Cooling down until then.
    CoolingDown(Instant),
}

/// The health of one target or key. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Health(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    failures: u32,
    /// Consecutive cool-downs.
    cool_downs: u32,
    until: Option<Instant>,
    trial_started: Option<Instant>,
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it can be used. After a cool-down, the first caller becomes the trial.
    pub(crate) fn acquire(&self, now: Instant) -> Availability {
        let mut state = self.lock();
        let Some(until) = state.until else { return Availability::Available };
        if now < until {
            return Availability::CoolingDown(until);
        }
        match state.trial_started {
            Some(since) if now.duration_since(since) < TRIAL_TIMEOUT => {
                Availability::CoolingDown(since + TRIAL_TIMEOUT)
            }
            _ => {
                state.trial_started = Some(now);
                Availability::Available
            }
        }
    }

    /// Whether it can be used, without becoming the trial.
    pub(crate) fn peek(&self, now: Instant) -> Availability {
        match self.lock().until {
            Some(until) => Availability::CoolingDown(until.max(now)),
            None => Availability::Available,
        }
    }

    /// The failures since the last success, and the end of the last cool-down.
    pub(crate) fn failures(&self) -> (u32, Option<Instant>) {
        let state = self.lock();
        (state.failures, state.until)
    }

    /// Records a success.
    pub(crate) fn succeeded(&self) {
        let mut state = self.lock();
        if state.failures > 0 || state.until.is_some() {
            *state = State::default();
        }
    }

    /// Records a failure; `retry_after` is the delay that the provider requested.
    pub(crate) fn failed(&self, cool_down: CoolDown, retry_after: Option<Duration>, now: Instant) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        let trial_failed = state.trial_started.take().is_some();
        if state.failures < cool_down.after.max(1) && retry_after.is_none() && !trial_failed {
            return;
        }
        let doubled = cool_down.duration.saturating_mul(1 << state.cool_downs.min(16));
        let pause = retry_after.unwrap_or(doubled).min(MAX_COOL_DOWN);
        state.cool_downs = state.cool_downs.saturating_add(1);
        // a failure that started earlier must not shorten the cool-down of another
        state.until = state.until.max(Some(now + pause));
    }
}

/// The health of all targets and keys.
#[derive(Default)]
pub(crate) struct HealthRegistry(Mutex<HashMap<(AiProviderId, String), Health>>);

impl HealthRegistry {
    /// The health of a part of a provider.
    pub(crate) fn health(&self, provider: AiProviderId, part: String) -> Health {
        let mut health_registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        health_registry.entry((provider, part)).or_default().clone()
    }

    /// Removes entries that nothing refers to.
    pub(crate) fn forget_unused(&self) {
        let mut health_registry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        health_registry.retain(|_, health| Arc::strong_count(&health.0) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: CoolDown = CoolDown { after: 2, duration: Duration::from_secs(10) };

    #[test]
    fn after_some_failures_it_cools_down_then_one_call_tries() {
        let (health, start) = (Health::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        health.failed(RULE, None, at(0));
        assert_eq!(health.acquire(at(0)), Availability::Available, "one failure is below the threshold");
        health.failed(RULE, None, at(0));
        assert_eq!(health.acquire(at(9)), Availability::CoolingDown(at(10)));
        assert_eq!(health.acquire(at(10)), Availability::Available, "the trial");
        assert_eq!(health.acquire(at(11)), Availability::CoolingDown(at(40)), "only one trial");
        health.failed(RULE, None, at(12));
        assert_eq!(
            health.acquire(at(13)),
            Availability::CoolingDown(at(32)),
            "twice as long after a failed trial"
        );
        assert_eq!(health.acquire(at(32)), Availability::Available);
        health.succeeded();
        assert_eq!(
            (health.acquire(at(33)), health.acquire(at(33))),
            (Availability::Available, Availability::Available)
        );
    }

    #[test]
    fn retry_after_sets_the_cool_down() {
        let (health, now) = (Health::default(), Instant::now());
        health.failed(RULE, Some(Duration::from_secs(3)), now);
        assert_eq!(health.acquire(now), Availability::CoolingDown(now + Duration::from_secs(3)));
        health.failed(RULE, None, now);
        assert!(
            matches!(health.acquire(now), Availability::CoolingDown(until) if until > now + Duration::from_secs(3))
        );
    }

    #[test]
    fn a_trial_that_never_ends_is_replaced() {
        let (health, now) = (Health::default(), Instant::now());
        health.failed(RULE, Some(Duration::ZERO), now);
        assert_eq!(health.acquire(now), Availability::Available);
        assert!(matches!(health.acquire(now), Availability::CoolingDown(_)));
        assert_eq!(health.acquire(now + TRIAL_TIMEOUT), Availability::Available);
    }
}
