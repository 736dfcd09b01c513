//! The state machine of an alert rule.

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert_rules::definition::Definition;
use crate::alert_rules::entity::RuleState;

/// State of a rule, with the times that decide its next transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RuleStatus {
    pub(super) state: RuleState,
    /// Since when the threshold is breached, while no incident is open.
    pub(super) pending_since: Option<DateTime<Utc>>,
    /// Since when the value has recovered, while an incident is open.
    pub(super) clear_since: Option<DateTime<Utc>>,
}

impl RuleStatus {
    /// No breach.
    pub(super) const OK: Self = Self { state: RuleState::Ok, pending_since: None, clear_since: None };
    const FIRING: Self = Self { state: RuleState::Firing, ..Self::OK };

    /// The status after a value; `None` means too few samples. An incident opens on the transition to
    /// [`RuleState::Firing`], and ends on the transition from it.
    pub(super) fn next(self, rule: &Definition, value: Option<f64>, now: DateTime<Utc>) -> Self {
        let breach = value.is_some_and(|value| rule.is_breach(value));
        let has_lasted = |since: DateTime<Utc>| now - since >= TimeDelta::seconds(rule.for_seconds.into());
        match self.state {
            RuleState::Ok | RuleState::Pending if breach => {
                let since = self.pending_since.unwrap_or(now);
                if has_lasted(since) {
                    return Self::FIRING;
                }
                Self { state: RuleState::Pending, pending_since: Some(since), clear_since: None }
            }
            RuleState::Ok | RuleState::Pending => Self::OK,
            // missing data does not end an incident
            RuleState::Firing if value.is_none() => self,
            RuleState::Firing if value.is_some_and(|value| rule.is_recovered(value)) => {
                let since = self.clear_since.unwrap_or(now);
                if has_lasted(since) { Self::OK } else { Self { clear_since: Some(since), ..Self::FIRING } }
            }
            RuleState::Firing => Self::FIRING,
            RuleState::Resolved if value.is_none_or(|value| rule.is_recovered(value)) => Self::OK,
            RuleState::Resolved => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert_rules::definition::tests::above;

    /// The states after each value, 30 seconds apart.
    fn walk(rule: &Definition, from: RuleStatus, values: &[Option<f64>]) -> Vec<RuleState> {
        let mut status = from;
        let mut now = DateTime::UNIX_EPOCH;
        let step = |value: &Option<f64>| {
            status = status.next(rule, *value, now);
            now += TimeDelta::seconds(30);
            status.state
        };
        values.iter().map(step).collect()
    }

    use RuleState::{Firing, Ok, Pending, Resolved};

    #[test]
    fn it_fires_when_the_breach_lasts_long_enough() {
        let rule = above(2.0, Some(1.0));
        let breach = Some(3.0);
        assert_eq!(walk(&rule, RuleStatus::OK, &[breach, breach, breach]), [Pending, Pending, Firing]);
        assert_eq!(
            walk(&rule, RuleStatus::OK, &[breach, breach, Some(1.5), breach]),
            [Pending, Pending, Ok, Pending],
            "the breach has to last without interruption"
        );
        assert_eq!(walk(&rule, RuleStatus::OK, &[breach, None, breach]), [Pending, Ok, Pending]);
        let immediate = Definition { for_seconds: 0, ..rule };
        assert_eq!(walk(&immediate, RuleStatus::OK, &[breach, Some(1.0)]), [Firing, Ok]);
    }

    #[test]
    fn it_ends_when_the_recovery_lasts_long_enough() {
        let rule = above(2.0, Some(1.0));
        let normal = Some(0.5);
        assert_eq!(walk(&rule, RuleStatus::FIRING, &[normal, normal, normal]), [Firing, Firing, Ok]);
        assert_eq!(
            walk(&rule, RuleStatus::FIRING, &[normal, Some(1.5), normal, normal, normal]),
            [Firing, Firing, Firing, Firing, Ok],
            "between the thresholds it has not recovered"
        );
        assert_eq!(walk(&rule, RuleStatus::FIRING, &[None, None, None, None]), [Firing; 4], "no samples");
    }

    #[test]
    fn a_manually_resolved_incident_does_not_reopen_before_recovery() {
        let rule = Definition { for_seconds: 0, ..above(2.0, Some(1.0)) };
        let manual = RuleStatus { state: Resolved, ..RuleStatus::OK };
        let breach = Some(3.0);
        assert_eq!(walk(&rule, manual, &[breach, Some(1.5), breach]), [Resolved; 3]);
        assert_eq!(walk(&rule, manual, &[breach, Some(1.0), breach]), [Resolved, Ok, Firing]);
        assert_eq!(walk(&rule, manual, &[None, breach]), [Ok, Firing]);
    }
}
