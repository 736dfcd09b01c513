//! What is accepted of telemetry, and how much of it is stored, whatever its format.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::truncate_bytes;

use super::record_error::RecordError;
use super::text::{Seconds, Text};
use crate::redact;

/// Maximum clock skew into the future.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::hours(1);
/// Maximum duration in nanoseconds, and maximum distance of a call from its record: 7 days. A span that never ended
/// can have any end time.
pub(crate) const MAX_DURATION_NS: u64 = 7 * 86_400 * 1_000_000_000;
/// Maximum length of ids.
const MAX_ID: usize = 64;
/// Maximum length of descriptive strings, in bytes; longer ones are truncated.
pub(super) const MAX_TEXT: usize = 2_000;
/// Maximum number of headers, query parameters or attributes.
pub(super) const MAX_FIELDS: usize = 100;
/// Maximum length of an exception, in bytes.
const MAX_EXCEPTION: usize = 4_000;
/// Maximum length of a stack trace, in bytes. Its end is kept, where the exception was raised.
const MAX_STACKTRACE: usize = 4_096;

/// The accepted times of telemetry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    pub(crate) now: DateTime<Utc>,
    pub(crate) max_age_days: u32,
}

/// Why a time is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeError {
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

impl TimeLimits {
    /// Checks when something started or was measured.
    pub(crate) fn check(&self, at: DateTime<Utc>) -> Result<(), TimeError> {
        let (code, message) = if at < self.now - TimeDelta::days(self.max_age_days.into()) {
            ("too_old", "the time is too long ago: see `max_age_days` of `insight.ingest`")
        } else if at > self.now + MAX_CLOCK_SKEW {
            ("in_the_future", "the time is in the future: check the clock of the application")
        } else {
            return Ok(());
        };
        Err(TimeError { code, message })
    }
}

/// The nanoseconds of a duration.
pub(super) fn checked_duration(param: &str, input: Seconds) -> Result<u64, RecordError> {
    input
        .as_nanos()
        .filter(|nanos| *nanos <= MAX_DURATION_NS)
        .ok_or_else(|| RecordError::invalid(param, "must be between 0 and 604,800 seconds"))
}

/// Checks an id.
pub(super) fn check_id(text: &Text<'_>) -> Result<(), &'static str> {
    let plain = (1..=MAX_ID).contains(&text.0.len()) && text.0.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { Ok(()) } else { Err("must be 1 to 64 printable ASCII characters without spaces") }
}

/// The stored form of an exception: its beginning, without secrets.
pub(crate) fn exception(text: &str) -> String {
    // cut twice: part of a secret would not be recognised, and redaction can lengthen a text
    storable(&redact::text(truncate_bytes(text, 2 * MAX_EXCEPTION)), MAX_EXCEPTION)
}

/// The stored form of a stack trace: its last complete lines, without secrets.
pub(crate) fn stacktrace(stack: &str) -> Option<String> {
    let end = match stack.len().checked_sub(MAX_STACKTRACE) {
        // whole lines, since part of a secret would not be recognised
        Some(from) if from > 0 => stack[stack.ceil_char_boundary(from)..].split_once('\n')?.1,
        _ => stack,
    };
    Some(storable(&redact::text(end), MAX_STACKTRACE))
}

/// The text truncated to at most this number of bytes, and made storable.
pub(crate) fn storable(text: &str, max: usize) -> String {
    // PostgreSQL can't store a NUL
    truncate_bytes(text, max).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_limited_in_both_directions() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let limits = TimeLimits { now, max_age_days: 28 };
        let code = |at: DateTime<Utc>| limits.check(at).map_err(|error| error.code);
        assert_eq!(code(now - TimeDelta::days(28)), Ok(()));
        assert_eq!(code(now - TimeDelta::days(28) - TimeDelta::seconds(1)), Err("too_old"));
        assert_eq!(code(now + TimeDelta::hours(1)), Ok(()));
        assert_eq!(code(now + TimeDelta::hours(1) + TimeDelta::seconds(1)), Err("in_the_future"));
    }

    #[test]
    fn an_exception_is_cut_after_its_secrets_are_removed() {
        let long = format!("{} sk-0123456789abcdef", "x".repeat(MAX_EXCEPTION - 10));
        let stored = exception(&long);
        assert!(stored.len() == MAX_EXCEPTION && stored.ends_with(" [redacted"), "{}", &stored[3_980..]);
        assert_eq!(exception("a\0b"), "a\u{fffd}b");
    }
}
