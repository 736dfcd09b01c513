//! The period in which a session's messages were written, as a range of ids, so that queries read only the
//! partitions of those months.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::first_id_at;
use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use super::entity::Column;
use crate::chat_sessions::entity::Model;

/// A half-open range of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Uuid,
    pub(crate) before: Uuid,
}

impl Span {
    /// Everything written between two times, both inclusive.
    pub(crate) fn of(first: DateTime<Utc>, last: DateTime<Utc>) -> Self {
        // Ids have millisecond resolution.
        let end = last.checked_add_signed(TimeDelta::milliseconds(1)).unwrap_or(last);
        Self { from: first_id_at(first), before: first_id_at(end) }
    }

    /// The span of a session's messages; `None` if there are none.
    pub(crate) fn of_session(session: &Model) -> Option<Self> {
        Some(Self::of(session.first_message_at?, session.last_message_at?))
    }

    /// The part of the span at or after one time and before another.
    pub(crate) fn within(self, after: Option<DateTime<Utc>>, before: Option<DateTime<Utc>>) -> Self {
        Self {
            from: after.map_or(self.from, |after| self.from.max(first_id_at(after))),
            before: before.map_or(self.before, |before| self.before.min(first_id_at(before))),
        }
    }

    /// As a condition on ids.
    pub(crate) fn condition(self) -> Condition {
        Condition::all().add(Column::Id.gte(self.from)).add(Column::Id.lt(self.before))
    }
}

#[cfg(test)]
mod tests {
    use loam_kernel::Clock;

    use super::*;

    #[test]
    fn a_span_includes_both_ends() {
        let clock = Clock::fixed("2026-03-31T23:59:59.999999Z".parse().unwrap());
        let (first, last) = (clock.now() - TimeDelta::days(40), clock.now());
        let span = Span::of(first, last);
        for at in [first, last, last - TimeDelta::days(3)] {
            let id = clock.id_at(at);
            assert!(span.from <= id && id < span.before, "{at}");
        }
        assert!(clock.id_at(last + TimeDelta::milliseconds(1)) >= span.before);
        assert!(clock.id_at(first - TimeDelta::milliseconds(1)) < span.from);
        let restricted = span.within(Some(last), None);
        assert!(restricted.from > span.from && restricted.before == span.before);
        assert_eq!(span.within(Some(first - TimeDelta::days(9)), Some(last + TimeDelta::days(9))), span);
    }
}
