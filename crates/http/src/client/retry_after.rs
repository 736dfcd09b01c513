//! Parsing of `Retry-After`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::{HeaderMap, RETRY_AFTER};

/// The `Retry-After` of a response: seconds, or a date (RFC 9110, 10.2.3). None if it is missing, invalid, or a day or
/// more.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match DateTime::parse_from_rfc2822(text) {
        Ok(date) => u32::try_from((date.to_utc() - now).num_seconds().max(0)).ok().map(f64::from)?,
        Err(_) => text.parse::<f64>().ok()?,
    };
    (0.0..86_400.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds.ceil()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn when_to_come_back_is_told_in_seconds_or_as_a_date() {
        let now = "2026-05-05T12:00:10Z".parse().expect("a time");
        let retry_after_of = |text: &str| {
            let headers =
                HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).expect("a value"))]);
            retry_after(&headers, now).map(|after| after.as_secs())
        };
        assert_eq!(
            [retry_after_of("3"), retry_after_of("0.2"), retry_after_of("Tue, 05 May 2026 12:01:00 GMT")],
            [Some(3), Some(1), Some(50)]
        );
        assert_eq!(retry_after_of("Tue, 05 May 2026 11:00:00 GMT"), Some(0), "that is over");
        assert_eq!(
            [retry_after_of("soon"), retry_after_of("-1"), retry_after_of("1e9"), retry_after_of("NaN")],
            [None; 4]
        );
    }
}
