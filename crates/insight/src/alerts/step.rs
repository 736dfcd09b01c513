//! How a rule goes from state to state.

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert_rules::definition::Definition;
use crate::alert_rules::entity::RuleState;

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: RuleState,
    /// Since when it is bad, before an incident is opened.
    pub(super) pending_since: Option<DateTime<Utc>>,
    /// Since when it is well, before an incident is over.
    pub(super) clear_since: Option<DateTime<Utc>>,
}

impl Standing {
    /// All is well.
    pub(super) const OK: Self = Self { state: RuleState::Ok, pending_since: None, clear_since: None };
    const FIRING: Self = Self { state: RuleState::Firing, ..Self::OK };

    /// Where it stands after a value; without one, too little is known. An incident opens where it comes to
    /// [`RuleState::Firing`], and is over where it leaves it.
    pub(super) fn after(self, rule: &Definition, value: Option<f64>, now: DateTime<Utc>) -> Self {
        let bad = value.is_some_and(|value| rule.is_bad(value));
        let lasted = |since: DateTime<Utc>| now - since >= TimeDelta::seconds(rule.for_seconds.into());
        match self.state {
            RuleState::Ok | RuleState::Pending if bad => {
                let since = self.pending_since.unwrap_or(now);
                if lasted(since) {
                    return Self::FIRING;
                }
                Self { state: RuleState::Pending, pending_since: Some(since), clear_since: None }
            }
            RuleState::Ok | RuleState::Pending => Self::OK,
            // nothing is over because nothing is known
            RuleState::Firing if value.is_none() => self,
            RuleState::Firing if value.is_some_and(|value| rule.is_well(value)) => {
                let since = self.clear_since.unwrap_or(now);
                if lasted(since) { Self::OK } else { Self { clear_since: Some(since), ..Self::FIRING } }
            }
            RuleState::Firing => Self::FIRING,
            RuleState::Resolved if value.is_none_or(|value| rule.is_well(value)) => Self::OK,
            RuleState::Resolved => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert_rules::definition::tests::above;

    /// The states after each value, 30 seconds apart.
    fn walk(rule: &Definition, from: Standing, values: &[Option<f64>]) -> Vec<RuleState> {
        let mut standing = from;
        let mut now = DateTime::UNIX_EPOCH;
        let step = |value: &Option<f64>| {
            standing = standing.after(rule, *value, now);
            now += TimeDelta::seconds(30);
            standing.state
        };
        values.iter().map(step).collect()
    }

    use RuleState::{Firing, Ok, Pending, Resolved};

    #[test]
    fn it_fires_when_it_has_been_bad_for_long_enough() {
        let rule = above(2.0, Some(1.0));
        let bad = Some(3.0);
        assert_eq!(walk(&rule, Standing::OK, &[bad, bad, bad]), [Pending, Pending, Firing]);
        assert_eq!(
            walk(&rule, Standing::OK, &[bad, bad, Some(1.5), bad]),
            [Pending, Pending, Ok, Pending],
            "it has to be bad all the time"
        );
        assert_eq!(walk(&rule, Standing::OK, &[bad, None, bad]), [Pending, Ok, Pending]);
        let at_once = Definition { for_seconds: 0, ..rule };
        assert_eq!(walk(&at_once, Standing::OK, &[bad, Some(1.0)]), [Firing, Ok]);
    }

    #[test]
    fn it_is_over_when_it_has_been_well_for_long_enough() {
        let rule = above(2.0, Some(1.0));
        let well = Some(0.5);
        assert_eq!(walk(&rule, Standing::FIRING, &[well, well, well]), [Firing, Firing, Ok]);
        assert_eq!(
            walk(&rule, Standing::FIRING, &[well, Some(1.5), well, well, well]),
            [Firing, Firing, Firing, Firing, Ok],
            "between the thresholds it is not well"
        );
        assert_eq!(walk(&rule, Standing::FIRING, &[None, None, None, None]), [Firing; 4], "nothing is known");
    }

    #[test]
    fn what_was_resolved_by_hand_is_not_raised_before_it_was_well() {
        let rule = Definition { for_seconds: 0, ..above(2.0, Some(1.0)) };
        let by_hand = Standing { state: Resolved, ..Standing::OK };
        let bad = Some(3.0);
        assert_eq!(walk(&rule, by_hand, &[bad, Some(1.5), bad]), [Resolved; 3]);
        assert_eq!(walk(&rule, by_hand, &[bad, Some(1.0), bad]), [Resolved, Ok, Firing]);
        assert_eq!(walk(&rule, by_hand, &[None, bad]), [Ok, Firing]);
    }
}
