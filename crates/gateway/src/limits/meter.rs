//! What one subject has used of its limits.
//!
//! Windows are those of the clock (UTC): the minute, the day, the month in which a call began. They are the buckets of
//! `usage_stats`, so a meter is made anew from there after a restart, and counts on exactly.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use loam_journal::Position;

use super::entity::Model;

/// What may be used; none: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) requests: Option<i64>,
    pub(crate) tokens: Option<i64>,
    pub(crate) concurrency: Option<i64>,
    /// Nano-dollars.
    pub(crate) day: Option<i64>,
    /// Nano-dollars.
    pub(crate) month: Option<i64>,
}

impl From<&Model> for Rule {
    fn from(row: &Model) -> Self {
        Self {
            requests: row.requests_per_minute,
            tokens: row.tokens_per_minute,
            concurrency: row.concurrency,
            day: row.budget_day_nano_usd,
            month: row.budget_month_nano_usd,
        }
    }
}

/// What a call is expected to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) tokens: i64,
    pub(crate) nano: i64,
}

/// What a call did use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// Of its settlement in the journal.
    pub(crate) position: Position,
    /// When it began.
    pub(crate) at: DateTime<Utc>,
    pub(crate) tokens: i64,
    pub(crate) nano: i64,
}

/// Which limit stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Requests,
    Tokens,
    Concurrency,
    Day,
    Month,
}

/// Why a call can't begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) which: Which,
    pub(crate) limit: i64,
    /// What counts against it, calls under way included.
    pub(crate) used: i64,
    /// When it is free again.
    pub(crate) frees: Duration,
}

/// Sums of the windows at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Windows {
    minute: i64,
    day: i64,
    month: i64,
    pub(crate) requests: i64,
    pub(crate) tokens: i64,
    pub(crate) day_nano: i64,
    pub(crate) month_nano: i64,
}

impl Windows {
    /// Nothing used, in the windows of a moment.
    pub(crate) fn at(now: DateTime<Utc>) -> Self {
        let minute = now.timestamp().div_euclid(60);
        let day = now.timestamp().div_euclid(86_400);
        let month = i64::from(now.year()) * 12 + i64::from(now.month0());
        Self { minute, day, month, ..Self::default() }
    }

    /// Goes on to the windows of a moment; what has passed is forgotten.
    fn roll(&mut self, now: DateTime<Utc>) {
        // within a minute nothing else passes either, and most calls are
        if now.timestamp().div_euclid(60) == self.minute {
            return;
        }
        let new = Self::at(now);
        if new.minute > self.minute {
            (self.minute, self.requests, self.tokens) = (new.minute, 0, 0);
        }
        if new.day > self.day {
            (self.day, self.day_nano) = (new.day, 0);
        }
        if new.month > self.month {
            (self.month, self.month_nano) = (new.month, 0);
        }
    }

    fn add(&mut self, spent: &Spent) {
        let began = Self::at(spent.at);
        if began.minute == self.minute {
            self.tokens += spent.tokens;
        }
        if began.day == self.day {
            self.day_nano += spent.nano;
        }
        if began.month == self.month {
            self.month_nano += spent.nano;
        }
    }
}

/// Counts for one subject.
pub(crate) struct Meter(Mutex<State>);

struct State {
    own: Windows,
    /// What other nodes used, when last looked.
    others: Windows,
    in_flight: i64,
    held: Demand,
    /// What was settled before the sums of the database were read; none once they are.
    early: Option<Vec<Spent>>,
}

impl Meter {
    /// A meter that doesn't know yet what was used before.
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        let windows = Windows::at(now);
        Self(Mutex::new(State {
            own: windows,
            others: windows,
            in_flight: 0,
            held: Demand::default(),
            early: Some(Vec::new()),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.lock().early.is_none()
    }

    /// Starts from sums that hold all that was settled up to a position of the journal, and adds what came later.
    pub(crate) fn load(&self, own: Windows, others: Windows, up_to: Position, now: DateTime<Utc>) {
        let mut state = self.lock();
        let Some(early) = state.early.take() else { return };
        state.own = own;
        state.own.roll(now);
        for spent in early.iter().filter(|spent| spent.position > up_to) {
            state.own.add(spent);
        }
        state.others = others;
    }

    /// Takes over what other nodes used.
    pub(crate) fn see_others(&self, others: Windows) {
        self.lock().others = others;
    }

    /// Lets a call begin, and holds back what it is expected to use; says what is used then.
    pub(crate) fn admit(&self, rule: &Rule, demand: Demand, now: DateTime<Utc>) -> Result<Windows, Refusal> {
        let mut state = self.lock();
        state.own.roll(now);
        state.others.roll(now);
        let (own, others) = (state.own, state.others);
        let to_minute = || until_next(now, 60);
        let soon = || Duration::from_secs(1);
        check(Which::Requests, rule.requests, own.requests + others.requests, 1, to_minute)?;
        check(Which::Concurrency, rule.concurrency, state.in_flight, 1, soon)?;
        let tokens = own.tokens + others.tokens + state.held.tokens;
        // one call that is larger than the limit by itself could never begin otherwise
        if tokens > 0 {
            check(Which::Tokens, rule.tokens, tokens, demand.tokens, to_minute)?;
        }
        // what costs nothing needs no budget
        if demand.nano > 0 {
            for (which, limit, spent) in [
                (Which::Day, rule.day, own.day_nano + others.day_nano),
                (Which::Month, rule.month, own.month_nano + others.month_nano),
            ] {
                let frees = || match (which, limit) {
                    // calls under way may yet give back what they hold
                    (_, Some(limit)) if spent.saturating_add(demand.nano) <= limit => soon(),
                    (Which::Day, _) => until_next(now, 86_400),
                    _ => until_next_month(now),
                };
                check(which, limit, spent + state.held.nano, demand.nano, frees)?;
            }
        }
        state.own.requests += 1;
        state.in_flight += 1;
        state.held.tokens += demand.tokens;
        state.held.nano += demand.nano;
        Ok(state.used())
    }

    /// Gives back what was held for a call; `begun` is false for one that another subject's limit kept from beginning.
    pub(crate) fn release(&self, demand: Demand, begun: bool) {
        let mut state = self.lock();
        state.in_flight -= 1;
        state.held.tokens -= demand.tokens;
        state.held.nano -= demand.nano;
        if !begun {
            state.own.requests -= 1;
        }
    }

    /// Counts a call that ended.
    pub(crate) fn spent(&self, spent: Spent, now: DateTime<Utc>) {
        let mut state = self.lock();
        match &mut state.early {
            Some(early) => early.push(spent),
            None => {
                state.own.roll(now);
                state.own.add(&spent);
            }
        }
    }

    /// What is used now, held included.
    pub(crate) fn used(&self, now: DateTime<Utc>) -> Windows {
        let mut state = self.lock();
        state.own.roll(now);
        state.others.roll(now);
        state.used()
    }
}

impl State {
    fn used(&self) -> Windows {
        let (own, others, held) = (self.own, self.others, self.held);
        Windows {
            requests: own.requests + others.requests,
            tokens: own.tokens + others.tokens + held.tokens,
            day_nano: own.day_nano + others.day_nano + held.nano,
            month_nano: own.month_nano + others.month_nano + held.nano,
            ..own
        }
    }
}

/// Refuses what is more than a limit; when that is free again is worked out for nobody else.
fn check(
    which: Which,
    limit: Option<i64>,
    used: i64,
    more: i64,
    frees: impl FnOnce() -> Duration,
) -> Result<(), Refusal> {
    match limit {
        Some(limit) if used.saturating_add(more) > limit => {
            Err(Refusal { which, limit, used, frees: frees() })
        }
        _ => Ok(()),
    }
}

/// Until the next multiple of so many seconds; a whole second at least.
fn until_next(now: DateTime<Utc>, seconds: i64) -> Duration {
    let left = seconds - now.timestamp().rem_euclid(seconds);
    Duration::from_secs(u64::try_from(left).unwrap_or(1).max(1))
}

fn until_next_month(now: DateTime<Utc>) -> Duration {
    let (year, month) = if now.month() == 12 { (now.year() + 1, 1) } else { (now.year(), now.month() + 1) };
    let next = chrono::NaiveDate::from_ymd_opt(year, month, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    let left = next.map(|next| next.and_utc() - now).and_then(|left| left.to_std().ok());
    Duration::from_secs(left.unwrap_or_default().as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn spent(position: u64, when: &str, nano: i64) -> Spent {
        Spent { position: Position(position), at: at(when), tokens: 10, nano }
    }

    fn loaded(when: &str) -> Meter {
        let (meter, now) = (Meter::new(at(when)), at(when));
        meter.load(Windows::at(now), Windows::at(now), Position(0), now);
        meter
    }

    #[test]
    fn what_is_held_counts_until_it_is_spent_or_given_back() {
        let now = at("2026-03-31T23:59:50Z");
        let meter = loaded("2026-03-31T23:59:50Z");
        let rule = Rule { day: Some(100), ..Rule::default() };
        let demand = Demand { tokens: 5, nano: 40 };
        meter.admit(&rule, demand, now).expect("room");
        meter.admit(&rule, demand, now).expect("room");
        let refusal = meter.admit(&rule, demand, now).expect_err("120 is more than 100");
        assert_eq!((refusal.which, refusal.used, refusal.limit), (Which::Day, 80, 100));
        assert_eq!(refusal.frees, Duration::from_secs(1), "calls under way may need less");
        meter.spent(spent(1, "2026-03-31T23:59:50Z", 90), now);
        meter.release(demand, true);
        meter.release(demand, true);
        let refusal = meter.admit(&rule, demand, now).expect_err("spent");
        assert_eq!((refusal.used, refusal.frees), (90, Duration::from_secs(10)));
        meter.admit(&rule, demand, at("2026-04-01T00:00:00Z")).expect("a new day");
    }

    #[test]
    fn windows_are_those_of_the_clock() {
        let meter = loaded("2026-12-31T23:59:30Z");
        let now = at("2026-12-31T23:59:30Z");
        let rule = Rule { requests: Some(1), tokens: Some(15), month: Some(50), ..Rule::default() };
        let demand = Demand { tokens: 10, nano: 10 };
        meter.admit(&rule, demand, now).expect("the first");
        let refusal = meter.admit(&rule, demand, now).expect_err("one a minute");
        assert_eq!((refusal.which, refusal.frees), (Which::Requests, Duration::from_secs(30)));
        meter.release(demand, true);
        // a call of the old minute that ends in the new one counts in the old one
        meter.spent(spent(1, "2026-12-31T23:59:30Z", 45), at("2027-01-01T00:00:01Z"));
        let used = meter.used(at("2027-01-01T00:00:01Z"));
        assert_eq!((used.requests, used.tokens, used.day_nano, used.month_nano), (0, 0, 0, 0));
    }

    #[test]
    fn a_call_counts_once_whether_it_is_drained_before_or_after_the_sums_are_read() {
        let now = at("2026-05-05T12:00:00Z");
        let meter = Meter::new(now);
        for position in [10, 20, 30] {
            meter.spent(spent(position, "2026-05-05T12:00:00Z", 1), now);
        }
        // the database knows of everything up to 20, and of 100 from before
        let own = Windows { day_nano: 102, month_nano: 102, ..Windows::at(now) };
        meter.load(own, Windows { day_nano: 7, ..Windows::at(now) }, Position(20), now);
        assert_eq!(meter.used(now).day_nano, 102 + 1 + 7);
        meter.spent(spent(40, "2026-05-05T12:00:00Z", 1), now);
        assert_eq!(meter.used(now).day_nano, 111);
    }

    #[test]
    fn a_call_that_another_limit_kept_from_beginning_is_as_if_never_asked() {
        let now = at("2026-05-05T12:00:00Z");
        let meter = loaded("2026-05-05T12:00:00Z");
        let rule = Rule { requests: Some(1), concurrency: Some(1), ..Rule::default() };
        meter.admit(&rule, Demand::default(), now).expect("room");
        meter.release(Demand::default(), false);
        meter.admit(&rule, Demand::default(), now).expect("still room");
        let refusal =
            meter.admit(&Rule { requests: None, ..rule }, Demand::default(), now).expect_err("busy");
        assert_eq!(refusal.which, Which::Concurrency);
    }
}
