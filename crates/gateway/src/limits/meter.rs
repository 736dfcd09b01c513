//! The usage of one subject.
//!
//! WindowSums follow the clock (UTC): the minute, the day, the month in which a call started. They are the buckets of
//! `usage_stats`, so after a restart a meter is rebuilt from there, and stays exact.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Datelike, Utc};
use loam_journal::Position;

use super::entity::Model;

/// The limits; none: unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LimitValues {
    pub(crate) requests_per_minute: Option<i64>,
    pub(crate) tokens_per_minute: Option<i64>,
    pub(crate) concurrency: Option<i64>,
    pub(crate) budget_day_nano_usd: Option<i64>,
    pub(crate) budget_month_nano_usd: Option<i64>,
}

impl From<&Model> for LimitValues {
    fn from(row: &Model) -> Self {
        Self {
            requests_per_minute: row.requests_per_minute,
            tokens_per_minute: row.tokens_per_minute,
            concurrency: row.concurrency,
            budget_day_nano_usd: row.budget_day_nano_usd,
            budget_month_nano_usd: row.budget_month_nano_usd,
        }
    }
}

/// The expected usage of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExpectedUsage {
    pub(crate) tokens: i64,
    pub(crate) nano_usd: i64,
}

/// The actual usage of a settled call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SettledUsage {
    /// The position of its settlement in the journal.
    pub(crate) position: Position,
    pub(crate) call_started_at: DateTime<Utc>,
    /// 1 if the meter has not counted the call's start.
    pub(crate) requests: i64,
    pub(crate) tokens: i64,
    pub(crate) nano_usd: i64,
}

/// The kind of limit that is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitKind {
    RequestsPerMinute,
    TokensPerMinute,
    Concurrency,
    BudgetPerDay,
    BudgetPerMonth,
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

/// The sums of the current minute, day and month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WindowSums {
    /// Which minute, day and month: the number since the beginning of the calendar or of Unix time.
    minute_number: i64,
    day_number: i64,
    month_number: i64,
    pub(crate) minute_requests: i64,
    pub(crate) minute_tokens: i64,
    pub(crate) day_nano_usd: i64,
    pub(crate) month_nano_usd: i64,
}

impl WindowSums {
    /// Empty windows at a time.
    pub(crate) fn at(now: DateTime<Utc>) -> Self {
        Self {
            minute_number: minute_number(now),
            day_number: now.timestamp().div_euclid(86_400),
            month_number: i64::from(now.year()) * 12 + i64::from(now.month0()),
            ..Self::default()
        }
    }

    /// Advances to the windows at a time, and resets those that have ended.
    fn roll(&mut self, now: DateTime<Utc>) {
        // a fast path: within the same minute no window ends
        if minute_number(now) == self.minute_number {
            return;
        }
        let new = Self::at(now);
        if new.minute_number > self.minute_number {
            (self.minute_number, self.minute_requests, self.minute_tokens) = (new.minute_number, 0, 0);
        }
        if new.day_number > self.day_number {
            (self.day_number, self.day_nano_usd) = (new.day_number, 0);
        }
        if new.month_number > self.month_number {
            (self.month_number, self.month_nano_usd) = (new.month_number, 0);
        }
    }

    fn add(&mut self, usage: &SettledUsage) {
        let started = Self::at(usage.call_started_at);
        if started.minute_number == self.minute_number {
            self.minute_requests += usage.requests;
            self.minute_tokens += usage.tokens;
        }
        if started.day_number == self.day_number {
            self.day_nano_usd += usage.nano_usd;
        }
        if started.month_number == self.month_number {
            self.month_nano_usd += usage.nano_usd;
        }
    }
}

fn minute_number(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(60)
}

/// Counts the usage of one subject.
pub(crate) struct Meter(Mutex<State>);

struct State {
    own: WindowSums,
    /// What other nodes used, as of the last poll.
    others: WindowSums,
    in_flight: i64,
    reserved: ExpectedUsage,
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
        let windows = WindowSums::at(now);
        Self(Mutex::new(State {
            own: windows,
            others: windows,
            in_flight: 0,
            reserved: ExpectedUsage::default(),
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
    pub(crate) fn load(&self, own: WindowSums, others: WindowSums, up_to: Position, now: DateTime<Utc>) {
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
    pub(crate) fn set_others(&self, others: WindowSums) {
        self.lock().others = others;
    }

    /// Admits a call, and reserves its expected usage; returns the resulting usage.
    pub(crate) fn admit(
        &self,
        values: &LimitValues,
        expected: ExpectedUsage,
        now: DateTime<Utc>,
    ) -> Result<WindowSums, Refusal> {
        let mut state = self.lock();
        state.own.roll(now);
        state.others.roll(now);
        let (own, others) = (state.own, state.others);
        let to_minute = || until_next(now, 60);
        let soon = || Duration::from_secs(1);
        check(
            LimitKind::RequestsPerMinute,
            values.requests_per_minute,
            own.minute_requests + others.minute_requests,
            1,
            to_minute,
        )?;
        check(LimitKind::Concurrency, values.concurrency, state.in_flight, 1, soon)?;
        let tokens = own.minute_tokens + others.minute_tokens + state.reserved.tokens;
        // otherwise a single call larger than the limit could never start
        if tokens > 0 {
            check(LimitKind::TokensPerMinute, values.tokens_per_minute, tokens, expected.tokens, to_minute)?;
        }
        // a free call needs no budget
        if expected.nano_usd > 0 {
            for (kind, limit, usage) in [
                (LimitKind::BudgetPerDay, values.budget_day_nano_usd, own.day_nano_usd + others.day_nano_usd),
                (
                    LimitKind::BudgetPerMonth,
                    values.budget_month_nano_usd,
                    own.month_nano_usd + others.month_nano_usd,
                ),
            ] {
                let retry_after = || match (kind, limit) {
                    // calls in progress may release part of their reservation
                    (_, Some(limit)) if usage.saturating_add(expected.nano_usd) <= limit => soon(),
                    (LimitKind::BudgetPerDay, _) => until_next(now, 86_400),
                    _ => until_next_month(now),
                };
                check(kind, limit, usage + state.reserved.nano_usd, expected.nano_usd, retry_after)?;
            }
        }
        state.own.minute_requests += 1;
        state.in_flight += 1;
        state.reserved.tokens += expected.tokens;
        state.reserved.nano_usd += expected.nano_usd;
        Ok(state.used())
    }

    /// Releases the reservation of a call that has ended.
    pub(crate) fn release(&self, expected: ExpectedUsage) {
        self.lock().release(expected);
    }

    /// Takes back the admission of a call that another subject's limit refused.
    pub(crate) fn cancel(&self, expected: ExpectedUsage, admitted_at: DateTime<Utc>) {
        let mut state = self.lock();
        state.release(expected);
        // a window that ended since has forgotten the request
        if state.own.minute_number == minute_number(admitted_at) {
            state.own.minute_requests -= 1;
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
    pub(crate) fn used(&self, now: DateTime<Utc>) -> WindowSums {
        let mut state = self.lock();
        state.own.roll(now);
        state.others.roll(now);
        state.used()
    }
}

impl State {
    fn release(&mut self, expected: ExpectedUsage) {
        self.in_flight -= 1;
        self.reserved.tokens -= expected.tokens;
        self.reserved.nano_usd -= expected.nano_usd;
    }

    fn used(&self) -> WindowSums {
        let (own, others, reserved) = (self.own, self.others, self.reserved);
        WindowSums {
            minute_requests: own.minute_requests + others.minute_requests,
            minute_tokens: own.minute_tokens + others.minute_tokens + reserved.tokens,
            day_nano_usd: own.day_nano_usd + others.day_nano_usd + reserved.nano_usd,
            month_nano_usd: own.month_nano_usd + others.month_nano_usd + reserved.nano_usd,
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

    fn usage(position: u64, when: &str, nano_usd: i64) -> SettledUsage {
        SettledUsage {
            position: Position(position),
            call_started_at: at(when),
            requests: 0,
            tokens: 10,
            nano_usd,
        }
    }

    fn loaded(when: &str) -> Meter {
        let (meter, now) = (Meter::new(at(when)), at(when));
        meter.load(WindowSums::at(now), WindowSums::at(now), Position(0), now);
        meter
    }

    #[test]
    fn a_reservation_counts_until_it_is_settled_or_released() {
        let now = at("2026-03-31T23:59:50Z");
        let meter = loaded("2026-03-31T23:59:50Z");
        let values = LimitValues { budget_day_nano_usd: Some(100), ..LimitValues::default() };
        let expected = ExpectedUsage { tokens: 5, nano_usd: 40 };
        meter.admit(&values, expected, now).expect("room");
        meter.admit(&values, expected, now).expect("room");
        let refusal = meter.admit(&values, expected, now).expect_err("120 is more than 100");
        assert_eq!((refusal.kind, refusal.used, refusal.limit), (LimitKind::BudgetPerDay, 80, 100));
        assert_eq!(refusal.retry_after, Duration::from_secs(1), "calls in progress may need less");
        meter.record_usage(usage(1, "2026-03-31T23:59:50Z", 90), now);
        meter.release(expected);
        meter.release(expected);
        let refusal = meter.admit(&values, expected, now).expect_err("spent");
        assert_eq!((refusal.used, refusal.retry_after), (90, Duration::from_secs(10)));
        meter.admit(&values, expected, at("2026-04-01T00:00:00Z")).expect("a new day");
    }

    #[test]
    fn windows_follow_the_clock() {
        let meter = loaded("2026-12-31T23:59:30Z");
        let now = at("2026-12-31T23:59:30Z");
        let values = LimitValues {
            requests_per_minute: Some(1),
            tokens_per_minute: Some(15),
            budget_month_nano_usd: Some(50),
            ..LimitValues::default()
        };
        let expected = ExpectedUsage { tokens: 10, nano_usd: 10 };
        meter.admit(&values, expected, now).expect("the first");
        let refusal = meter.admit(&values, expected, now).expect_err("one a minute");
        assert_eq!(
            (refusal.kind, refusal.retry_after),
            (LimitKind::RequestsPerMinute, Duration::from_secs(30))
        );
        meter.release(expected);
        // a call that started in the previous minute and ends in the new one counts in the previous one
        meter.record_usage(usage(1, "2026-12-31T23:59:30Z", 45), at("2027-01-01T00:00:01Z"));
        let used = meter.used(at("2027-01-01T00:00:01Z"));
        assert_eq!(
            (used.minute_requests, used.minute_tokens, used.day_nano_usd, used.month_nano_usd),
            (0, 0, 0, 0)
        );
    }

    #[test]
    fn a_call_counts_once_whether_it_is_drained_before_or_after_the_sums_are_read() {
        let now = at("2026-05-05T12:00:00Z");
        let meter = Meter::new(now);
        for position in [10, 20, 30] {
            meter.record_usage(usage(position, "2026-05-05T12:00:00Z", 1), now);
        }
        // the sums of the database include everything up to 20, and 100 from before
        let own = WindowSums { day_nano_usd: 102, month_nano_usd: 102, ..WindowSums::at(now) };
        meter.load(own, WindowSums { day_nano_usd: 7, ..WindowSums::at(now) }, Position(20), now);
        assert_eq!(meter.used(now).day_nano_usd, 102 + 1 + 7);
        meter.record_usage(usage(40, "2026-05-05T12:00:00Z", 1), now);
        assert_eq!(meter.used(now).day_nano_usd, 111);
    }

    #[test]
    fn a_call_that_another_limit_refused_is_not_counted() {
        let now = at("2026-05-05T12:00:00Z");
        let meter = loaded("2026-05-05T12:00:00Z");
        let values =
            LimitValues { requests_per_minute: Some(1), concurrency: Some(1), ..LimitValues::default() };
        meter.admit(&values, ExpectedUsage::default(), now).expect("room");
        meter.cancel(ExpectedUsage::default(), now);
        meter.admit(&values, ExpectedUsage::default(), now).expect("still room");
        let refusal = meter
            .admit(&LimitValues { requests_per_minute: None, ..values }, ExpectedUsage::default(), now)
            .expect_err("busy");
        assert_eq!(refusal.kind, LimitKind::Concurrency);
    }

    #[test]
    fn a_request_taken_back_after_its_minute_is_not_taken_from_the_next() {
        let meter = loaded("2026-05-05T12:00:59Z");
        let (admitted, next) = (at("2026-05-05T12:00:59Z"), at("2026-05-05T12:01:00Z"));
        let values = LimitValues { requests_per_minute: Some(2), ..LimitValues::default() };
        meter.admit(&values, ExpectedUsage::default(), admitted).expect("room");
        meter.admit(&values, ExpectedUsage::default(), next).expect("a new minute");
        meter.cancel(ExpectedUsage::default(), admitted);
        assert_eq!(meter.used(next).minute_requests, 1);
    }
}
