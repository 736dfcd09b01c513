//! How many messages a channel takes in a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_kernel::{ChannelId, Error, Kind, Result};

/// Channels that are counted before those of past minutes are forgotten.
const MANY: usize = 1024;

/// Counts messages by the minute of the clock, on this node. Only those whose sender has been believed are counted, so
/// that nobody can use up a channel's minute from outside.
#[derive(Default)]
pub(super) struct Rates(Mutex<HashMap<ChannelId, (i64, u32)>>);

impl Rates {
    /// Counts a message.
    ///
    /// # Errors
    /// 429 `channel_rate_exceeded`, with the time until the next minute.
    pub(super) fn count(&self, channel: ChannelId, most: u32, now: DateTime<Utc>) -> Result<()> {
        let minute = now.timestamp().div_euclid(60);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MANY {
            counts.retain(|_, (at, _)| *at == minute);
        }
        let (at, count) = counts.entry(channel).or_insert((minute, 0));
        if *at != minute {
            (*at, *count) = (minute, 0);
        }
        if *count >= most {
            let wait = u64::try_from(60 - now.timestamp().rem_euclid(60)).unwrap_or(60);
            let message = format!("this channel takes {most} messages a minute; send it again in {wait} s");
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
    fn a_minute_holds_so_many_and_the_next_as_many_again() {
        let (rates, one, other) = (Rates::default(), ChannelId::NIL, ChannelId(uuid::Uuid::max()));
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        let early = at("2026-05-05T12:00:20Z");
        assert!(rates.count(one, 2, early).is_ok() && rates.count(one, 2, early).is_ok());
        let error = rates.count(one, 2, early).expect_err("too many");
        assert_eq!((error.status(), error.retry_after()), (429, Some(Duration::from_secs(40))));
        assert!(rates.count(other, 2, early).is_ok(), "each channel has its own");
        assert!(rates.count(one, 2, at("2026-05-05T12:01:00Z")).is_ok());
    }
}
