//! What failed is left alone for a while, then tried by one call before it is used again.
//!
//! Kept in memory, apart from the configuration, which is read anew with every change: a change must not make Loam
//! forget that a provider is down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use loam_kernel::AiProviderId;

/// A trial that brought no result counts as forgotten after this long, and another call may try.
const TRIAL_PATIENCE: Duration = Duration::from_secs(30);
/// No rest is longer, however often a trial fails.
const MAX_REST: Duration = Duration::from_secs(300);

/// When something that fails is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoolDown {
    /// Failures in a row.
    pub(crate) after: u32,
    /// The first rest; doubled with each trial that fails.
    pub(crate) rest: Duration,
}

/// Whether to use something now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It works, as far as is known.
    Well,
    /// It rests, until then.
    Resting(Instant),
}

/// What is known of one target or one key. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Health(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    failures: u32,
    /// How often it was put to rest in a row.
    rests: u32,
    until: Option<Instant>,
    trial_since: Option<Instant>,
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be used. Of all who ask when a rest is over, one is told so, and is the trial.
    pub(crate) fn look(&self, now: Instant) -> Condition {
        let mut state = self.lock();
        let Some(until) = state.until else { return Condition::Well };
        if now < until {
            return Condition::Resting(until);
        }
        match state.trial_since {
            Some(since) if now.duration_since(since) < TRIAL_PATIENCE => {
                Condition::Resting(since + TRIAL_PATIENCE)
            }
            _ => {
                state.trial_since = Some(now);
                Condition::Well
            }
        }
    }

    /// Whether it works, as far as is known, without becoming its trial.
    pub(crate) fn glance(&self, now: Instant) -> Condition {
        match self.lock().until {
            Some(until) => Condition::Resting(until.max(now)),
            None => Condition::Well,
        }
    }

    /// It answered.
    pub(crate) fn succeeded(&self) {
        let mut state = self.lock();
        if state.failures > 0 || state.until.is_some() {
            *state = State::default();
        }
    }

    /// It failed; `told` is how long it asked to be left alone.
    pub(crate) fn failed(&self, cool_down: CoolDown, told: Option<Duration>, now: Instant) {
        let mut state = self.lock();
        state.failures = state.failures.saturating_add(1);
        let trial_failed = state.trial_since.take().is_some();
        if state.failures < cool_down.after.max(1) && told.is_none() && !trial_failed {
            return;
        }
        let doubled = cool_down.rest.saturating_mul(1 << state.rests.min(16));
        let rest = told.unwrap_or(doubled).min(MAX_REST);
        state.rests = state.rests.saturating_add(1);
        // a failure that began before another one's rest must not end it sooner
        state.until = state.until.max(Some(now + rest));
    }
}

/// The health of everything that calls go to.
#[derive(Default)]
pub(crate) struct Wards(Mutex<HashMap<(AiProviderId, String), Health>>);

impl Wards {
    /// What is known of a part of a provider.
    pub(crate) fn health(&self, provider: AiProviderId, part: String) -> Health {
        let mut wards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wards.entry((provider, part)).or_default().clone()
    }

    /// Forgets what nothing refers to any more.
    pub(crate) fn forget_unused(&self) {
        let mut wards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wards.retain(|_, health| Arc::strong_count(&health.0) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: CoolDown = CoolDown { after: 2, rest: Duration::from_secs(10) };

    #[test]
    fn after_some_failures_it_rests_then_one_call_tries() {
        let (health, start) = (Health::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        health.failed(RULE, None, at(0));
        assert_eq!(health.look(at(0)), Condition::Well, "one failure is not yet a habit");
        health.failed(RULE, None, at(0));
        assert_eq!(health.look(at(9)), Condition::Resting(at(10)));
        assert_eq!(health.look(at(10)), Condition::Well, "the trial");
        assert_eq!(health.look(at(11)), Condition::Resting(at(40)), "only one tries");
        health.failed(RULE, None, at(12));
        assert_eq!(health.look(at(13)), Condition::Resting(at(32)), "twice as long after a failed trial");
        assert_eq!(health.look(at(32)), Condition::Well);
        health.succeeded();
        assert_eq!((health.look(at(33)), health.look(at(33))), (Condition::Well, Condition::Well));
    }

    #[test]
    fn who_says_when_to_come_back_is_left_alone_until_then() {
        let (health, now) = (Health::default(), Instant::now());
        health.failed(RULE, Some(Duration::from_secs(3)), now);
        assert_eq!(health.look(now), Condition::Resting(now + Duration::from_secs(3)));
        health.failed(RULE, None, now);
        assert!(
            matches!(health.look(now), Condition::Resting(until) if until > now + Duration::from_secs(3))
        );
    }

    #[test]
    fn a_trial_that_never_ends_makes_way_for_another() {
        let (health, now) = (Health::default(), Instant::now());
        health.failed(RULE, Some(Duration::ZERO), now);
        assert_eq!(health.look(now), Condition::Well);
        assert!(matches!(health.look(now), Condition::Resting(_)));
        assert_eq!(health.look(now + TRIAL_PATIENCE), Condition::Well);
    }
}
