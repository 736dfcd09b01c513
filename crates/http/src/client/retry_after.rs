//! Parsing of `Retry-After`, and of `retry-after-ms` as OpenAI and Azure send it besides.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::{HeaderMap, RETRY_AFTER};

/// The longest delay that is believed.
const MAX_SECONDS: f64 = 31.0 * 86_400.0;

/// How long a response asks to wait: the seconds or the date of its `Retry-After` (RFC 9110, 10.2.3), or else the
/// milliseconds of `retry-after-ms`, in whole seconds. None if it is missing, invalid, or more than a month.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let seconds = standard(headers, now).or_else(|| {
        let millis = headers.get("retry-after-ms")?.to_str().ok()?.trim().parse::<f64>().ok()?;
        Some(millis / 1000.0)
    })?;
    (0.0..=MAX_SECONDS).contains(&seconds).then(|| Duration::from_secs_f64(seconds.ceil()))
}

fn standard(headers: &HeaderMap, now: DateTime<Utc>) -> Option<f64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match DateTime::parse_from_rfc2822(text) {
        Ok(date) => u32::try_from((date.to_utc() - now).num_seconds().max(0)).ok().map(f64::from),
        Err(_) => text.parse().ok(),
    }
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
            [
                retry_after_of("3"),
                retry_after_of("0.2"),
                retry_after_of("287441"),
                retry_after_of("Tue, 05 May 2026 12:01:00 GMT")
            ],
            [Some(3), Some(1), Some(287_441), Some(50)]
        );
        let millis = HeaderMap::from_iter([(
            "retry-after-ms".parse().expect("a name"),
            HeaderValue::from_static("1200"),
        )]);
        assert_eq!(retry_after(&millis, now), Some(Duration::from_secs(2)));
        assert_eq!(retry_after_of("Tue, 05 May 2026 11:00:00 GMT"), Some(0), "that is over");
        assert_eq!(
            [retry_after_of("soon"), retry_after_of("-1"), retry_after_of("1e9"), retry_after_of("NaN")],
            [None; 4]
        );
    }
}
