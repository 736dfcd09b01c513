//! The usage of one subject.
//!
//! Windows follow the clock (UTC): the minute, the day, the month in which a call started. They are the buckets of
//! `usage_stats`, so after a restart a meter is rebuilt from there, and stays exact.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use loam_journal::Position;

use super::entity::Model;

/// The limits; none: unlimited.
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

/// The expected usage of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) tokens: i64,
    pub(crate) nano: i64,
}

/// The actual usage of a settled call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SettledUsage {
    /// The position of its settlement in the journal.
    pub(crate) position: Position,
    /// When the call started.
    pub(crate) at: DateTime<Utc>,
    /// 1 if the meter has not counted the call's start.
    pub(crate) requests: i64,
    pub(crate) tokens: i64,
    pub(crate) nano: i64,
}

/// The kind of limit that is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitKind {
    Requests,
    Tokens,
    Concurrency,
    Day,
    Month,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: LimitKind,
    pub(crate) limit: i64,
    /// What counts against it, including calls in progress.
    pub(crate) used: i64,
    /// What the call needs at most.
    pub(crate) needed: i64,
    /// When there may be room again.
    pub(crate) retry_after: Duration,
}

/// The sums of the current windows.
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
    /// Empty windows at a time.
    pub(crate) fn at(now: DateTime<Utc>) -> Self {
        let minute = now.timestamp().div_euclid(60);
        let day = now.timestamp().div_euclid(86_400);
        let month = i64::from(now.year()) * 12 + i64::from(now.month0());
        Self { minute, day, month, ..Self::default() }
    }

    /// Advances to the windows at a time, and resets those that have ended.
    fn roll(&mut self, now: DateTime<Utc>) {
        // a fast path: within the same minute no window ends
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

    fn add(&mut self, usage: &SettledUsage) {
        let began = Self::at(usage.at);
        if began.minute == self.minute {
            self.requests += usage.requests;
            self.tokens += usage.tokens;
        }
        if began.day == self.day {
            self.day_nano += usage.nano;
        }
        if began.month == self.month {
            self.month_nano += usage.nano;
        }
    }
}

/// Counts the usage of one subject.
pub(crate) struct Meter(Mutex<State>);

struct State {
    own: Windows,
    /// What other nodes used, as of the last poll.
    others: Windows,
    in_flight: i64,
    reserved: Demand,
    /// Usage settled before the sums were read from the database; none once they are.
    pending: Option<Vec<SettledUsage>>,
}

impl Meter {
    /// A meter without its previous usage.
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        Self::with_pending(now, Vec::new())
    }

    /// A meter without its previous usage, except what may not be in the database yet.
    pub(crate) fn with_pending(now: DateTime<Utc>, pending: Vec<SettledUsage>) -> Self {
        let windows = Windows::at(now);
        Self(Mutex::new(State {
            own: windows,
            others: windows,
            in_flight: 0,
            reserved: Demand::default(),
            pending: Some(pending),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.lock().pending.is_none()
    }

    /// Initializes it with sums that include everything settled up to a position of the journal, and adds what was
    /// settled later.
    pub(crate) fn load(&self, own: Windows, others: Windows, up_to: Position, now: DateTime<Utc>) {
        let mut state = self.lock();
        let Some(pending) = state.pending.take() else { return };
        state.own = own;
        state.own.roll(now);
        for usage in pending.iter().filter(|usage| usage.position > up_to) {
            state.own.add(usage);
        }
        state.others = others;
    }

    /// Replaces the usage of other nodes.
    pub(crate) fn set_others(&self, others: Windows) {
        self.lock().others = others;
    }

    /// Admits a call, and reserves its expected usage; returns the resulting usage.
    pub(crate) fn admit(&self, rule: &Rule, demand: Demand, now: DateTime<Utc>) -> Result<Windows, Refusal> {
        let mut state = self.lock();
        state.own.roll(now);
        state.others.roll(now);
        let (own, others) = (state.own, state.others);
        let to_minute = || until_next(now, 60);
        let soon = || Duration::from_secs(1);
        check(LimitKind::Requests, rule.requests, own.requests + others.requests, 1, to_minute)?;
        check(LimitKind::Concurrency, rule.concurrency, state.in_flight, 1, soon)?;
        let tokens = own.tokens + others.tokens + state.reserved.tokens;
        // otherwise a single call larger than the limit could never start
        if tokens > 0 {
            check(LimitKind::Tokens, rule.tokens, tokens, demand.tokens, to_minute)?;
        }
        // a free call needs no budget
        if demand.nano > 0 {
            for (kind, limit, usage) in [
                (LimitKind::Day, rule.day, own.day_nano + others.day_nano),
                (LimitKind::Month, rule.month, own.month_nano + others.month_nano),
            ] {
                let retry_after = || match (kind, limit) {
                    // calls in progress may release part of their reservation
                    (_, Some(limit)) if usage.saturating_add(demand.nano) <= limit => soon(),
                    (LimitKind::Day, _) => until_next(now, 86_400),
                    _ => until_next_month(now),
                };
                check(kind, limit, usage + state.reserved.nano, demand.nano, retry_after)?;
            }
        }
        state.own.requests += 1;
        state.in_flight += 1;
        state.reserved.tokens += demand.tokens;
        state.reserved.nano += demand.nano;
        Ok(state.used())
    }

    /// Releases a call's reservation; `began` is false for a call that another subject's limit refused.
    pub(crate) fn release(&self, demand: Demand, began: bool) {
        let mut state = self.lock();
        state.in_flight -= 1;
        state.reserved.tokens -= demand.tokens;
        state.reserved.nano -= demand.nano;
        if !began {
            state.own.requests -= 1;
        }
    }

    /// Records the usage of a settled call.
    pub(crate) fn record_usage(&self, usage: SettledUsage, now: DateTime<Utc>) {
        let mut state = self.lock();
        match &mut state.pending {
            Some(pending) => pending.push(usage),
            None => {
                state.own.roll(now);
                state.own.add(&usage);
            }
        }
    }

    /// The current usage, including reservations.
    pub(crate) fn used(&self, now: DateTime<Utc>) -> Windows {
        let mut state = self.lock();
        state.own.roll(now);
        state.others.roll(now);
        state.used()
    }
}

impl State {
    fn used(&self) -> Windows {
        let (own, others, reserved) = (self.own, self.others, self.reserved);
        Windows {
            requests: own.requests + others.requests,
            tokens: own.tokens + others.tokens + reserved.tokens,
            day_nano: own.day_nano + others.day_nano + reserved.nano,
            month_nano: own.month_nano + others.month_nano + reserved.nano,
            ..own
        }
    }
}

/// Refuses usage beyond a limit; `retry_after` is only computed for a refusal.
fn check(
    kind: LimitKind,
    limit: Option<i64>,
    used: i64,
    more: i64,
    retry_after: impl FnOnce() -> Duration,
) -> Result<(), Refusal> {
    match limit {
        Some(limit) if used.saturating_add(more) > limit => {
            Err(Refusal { kind, limit, used, needed: more, retry_after: retry_after() })
        }
        _ => Ok(()),
    }
}

/// The time until the next multiple of `seconds`; at least one second.
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

    fn usage(position: u64, when: &str, nano: i64) -> SettledUsage {
        SettledUsage { position: Position(position), at: at(when), requests: 0, tokens: 10, nano }
    }

    fn loaded(when: &str) -> Meter {
        let (meter, now) = (Meter::new(at(when)), at(when));
        meter.load(Windows::at(now), Windows::at(now), Position(0), now);
        meter
    }

    #[test]
    fn a_reservation_counts_until_it_is_settled_or_released() {
        let now = at("2026-03-31T23:59:50Z");
        let meter = loaded("2026-03-31T23:59:50Z");
        let rule = Rule { day: Some(100), ..Rule::default() };
        let demand = Demand { tokens: 5, nano: 40 };
        meter.admit(&rule, demand, now).expect("room");
        meter.admit(&rule, demand, now).expect("room");
        let refusal = meter.admit(&rule, demand, now).expect_err("120 is more than 100");
        assert_eq!((refusal.kind, refusal.used, refusal.limit), (LimitKind::Day, 80, 100));
        assert_eq!(refusal.retry_after, Duration::from_secs(1), "calls in progress may need less");
        meter.record_usage(usage(1, "2026-03-31T23:59:50Z", 90), now);
        meter.release(demand, true);
        meter.release(demand, true);
        let refusal = meter.admit(&rule, demand, now).expect_err("spent");
        assert_eq!((refusal.used, refusal.retry_after), (90, Duration::from_secs(10)));
        meter.admit(&rule, demand, at("2026-04-01T00:00:00Z")).expect("a new day");
    }

    #[test]
    fn windows_follow_the_clock() {
        let meter = loaded("2026-12-31T23:59:30Z");
        let now = at("2026-12-31T23:59:30Z");
        let rule = Rule { requests: Some(1), tokens: Some(15), month: Some(50), ..Rule::default() };
        let demand = Demand { tokens: 10, nano: 10 };
        meter.admit(&rule, demand, now).expect("the first");
        let refusal = meter.admit(&rule, demand, now).expect_err("one a minute");
        assert_eq!((refusal.kind, refusal.retry_after), (LimitKind::Requests, Duration::from_secs(30)));
        meter.release(demand, true);
        // a call that started in the previous minute and ends in the new one counts in the previous one
        meter.record_usage(usage(1, "2026-12-31T23:59:30Z", 45), at("2027-01-01T00:00:01Z"));
        let used = meter.used(at("2027-01-01T00:00:01Z"));
        assert_eq!((used.requests, used.tokens, used.day_nano, used.month_nano), (0, 0, 0, 0));
    }

    #[test]
    fn a_call_counts_once_whether_it_is_drained_before_or_after_the_sums_are_read() {
        let now = at("2026-05-05T12:00:00Z");
        let meter = Meter::new(now);
        for position in [10, 20, 30] {
            meter.record_usage(usage(position, "2026-05-05T12:00:00Z", 1), now);
        }
        // the sums of the database include everything up to 20, and 100 from before
        let own = Windows { day_nano: 102, month_nano: 102, ..Windows::at(now) };
        meter.load(own, Windows { day_nano: 7, ..Windows::at(now) }, Position(20), now);
        assert_eq!(meter.used(now).day_nano, 102 + 1 + 7);
        meter.record_usage(usage(40, "2026-05-05T12:00:00Z", 1), now);
        assert_eq!(meter.used(now).day_nano, 111);
    }

    #[test]
    fn a_call_that_another_limit_refused_is_not_counted() {
        let now = at("2026-05-05T12:00:00Z");
        let meter = loaded("2026-05-05T12:00:00Z");
        let rule = Rule { requests: Some(1), concurrency: Some(1), ..Rule::default() };
        meter.admit(&rule, Demand::default(), now).expect("room");
        meter.release(Demand::default(), false);
        meter.admit(&rule, Demand::default(), now).expect("still room");
        let refusal =
            meter.admit(&Rule { requests: None, ..rule }, Demand::default(), now).expect_err("busy");
        assert_eq!(refusal.kind, LimitKind::Concurrency);
    }
}
