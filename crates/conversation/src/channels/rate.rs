//! Limits how many messages a channel receives per minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_kernel::{ChannelId, Error, Kind, Result};

/// Number of channels from which on counts of past minutes are removed.
const MAX_TRACKED: usize = 1024;

/// Counts messages per minute of the clock, on this node. Only authenticated messages are counted, so that
/// nobody else can exhaust a channel's limit.
#[derive(Default)]
pub(super) struct RateLimiter(Mutex<HashMap<ChannelId, (i64, u32)>>);

impl RateLimiter {
    /// Counts a message.
    ///
    /// # Errors
    /// 429 `channel_rate_exceeded`, with the time until the next minute.
    pub(super) fn count(&self, channel: ChannelId, limit: u32, now: DateTime<Utc>) -> Result<()> {
        let minute = now.timestamp().div_euclid(60);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MAX_TRACKED {
            counts.retain(|_, (at, _)| *at == minute);
        }
        let (at, count) = counts.entry(channel).or_insert((minute, 0));
        if *at != minute {
            (*at, *count) = (minute, 0);
        }
        if *count >= limit {
            let wait = u64::try_from(60 - now.timestamp().rem_euclid(60)).unwrap_or(60);
            let message = format!("this channel accepts {limit} messages per minute; retry in {wait} s");
            return Err(Error::new(Kind::TooMany, "channel_rate_exceeded", message)
                .with_retry_after(Duration::from_secs(wait)));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_applies_per_minute_and_channel() {
        let (rates, one, other) = (RateLimiter::default(), ChannelId::NIL, ChannelId(uuid::Uuid::max()));
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let early = at("2026-05-05T12:00:20Z");
        assert!(rates.count(one, 2, early).is_ok() && rates.count(one, 2, early).is_ok());
        let error = rates.count(one, 2, early).expect_err("too many");
        assert_eq!((error.status(), error.retry_after()), (429, Some(Duration::from_secs(40))));
        assert!(rates.count(other, 2, early).is_ok(), "each channel has its own limit");
        assert!(rates.count(one, 2, at("2026-05-05T12:01:00Z")).is_ok());
    }
}
