//! Timeouts, retries and cool-downs of a route.

use std::time::Duration;

use loam_http::client::Timeouts;
use loam_kernel::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::catalog::CoolDown;

/// Timeouts of a call's steps, in seconds; omitted ones default to the provider's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteTimeouts {
    /// To connect: DNS, TCP and TLS together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub connect: Option<f64>,
    /// From the connection to the first byte of the response's body (of a stream: its first event).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub first_token: Option<f64>,
    /// Without a byte, after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub idle: Option<f64>,
    /// The whole call, including all attempts, pauses and the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total: Option<f64>,
}

/// How often a route is retried. A retry is a pass over all targets; within a pass, the next target is called
/// immediately after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retries {
    /// Passes over the targets after the first; defaults to 2.
    pub rounds: u32,
    /// Seconds before the second pass, doubled before each further one; half of it is random. Defaults to 0.25. A
    /// provider's `Retry-After` is honoured if it doesn't exceed `max_backoff`.
    pub backoff: f64,
    /// The longest pause, in seconds; defaults to 8.
    pub max_backoff: f64,
}

impl Default for Retries {
    fn default() -> Self {
        Self { rounds: 2, backoff: 0.25, max_backoff: 8.0 }
    }
}

/// When a failing target cools down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CoolDownRule {
    /// Consecutive failures; defaults to 3.
    pub failures: u32,
    /// Seconds; defaults to 5. Then one call tries the target; if that fails, the cool-down doubles, up to five
    /// minutes.
    pub seconds: f64,
}

impl Default for CoolDownRule {
    fn default() -> Self {
        Self { failures: 3, seconds: 5.0 }
    }
}

impl From<CoolDownRule> for CoolDown {
    fn from(rule: CoolDownRule) -> Self {
        Self { after: rule.failures, duration: seconds(rule.seconds) }
    }
}

/// Converts seconds that have been validated.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn check_seconds(param: &str, value: f64, least: f64, most: f64) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(param, format!("must be {least} to {most} seconds")))
}

impl RouteTimeouts {
    pub(super) fn check(&self) -> Result<()> {
        let all = [
            ("timeouts.connect", self.connect),
            ("timeouts.first_token", self.first_token),
            ("timeouts.idle", self.idle),
            ("timeouts.total", self.total),
        ];
        all.into_iter()
            .try_for_each(|(param, value)| value.map_or(Ok(()), |v| check_seconds(param, v, 0.05, 3600.0)))
    }

    /// These timeouts, with a provider's own as defaults.
    pub(crate) fn over(&self, own: Timeouts) -> Timeouts {
        Timeouts {
            connect: self.connect.map_or(own.connect, seconds),
            first_byte: self.first_token.map_or(own.first_byte, seconds),
            idle: self.idle.map_or(own.idle, seconds),
        }
    }

    /// The timeout of the whole call.
    pub(crate) fn total(&self) -> Option<Duration> {
        self.total.map(seconds)
    }
}

impl Retries {
    pub(super) fn check(&self) -> Result<()> {
        if self.rounds > 10 {
            return Err(Error::invalid("retries.rounds", "must be 0 to 10"));
        }
        check_seconds("retries.backoff", self.backoff, 0.0, 60.0)?;
        check_seconds("retries.max_backoff", self.max_backoff, 0.0, 300.0)
    }

    /// The pause before the next pass, the first being number 0; `retry_after` is the shortest of the last pass. None
    /// if that exceeds `max_backoff`. `random` is from 0 to 1.
    pub(crate) fn pause(&self, pass: u32, retry_after: Option<Duration>, random: f64) -> Option<Duration> {
        let longest = seconds(self.max_backoff);
        let backoff = seconds(self.backoff).saturating_mul(1 << pass.min(16)).min(longest);
        let pause = backoff.mul_f64(0.5 + random / 2.0);
        match retry_after {
            Some(wait) if wait > longest => None,
            wait => Some(pause.max(wait.unwrap_or_default())),
        }
    }
}

impl CoolDownRule {
    pub(super) fn check(&self) -> Result<()> {
        if !(1..=100).contains(&self.failures) {
            return Err(Error::invalid("cool_down.failures", "must be 1 to 100"));
        }
        check_seconds("cool_down.seconds", self.seconds, 0.0, 300.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_honour_retry_after() {
        let retries = Retries { rounds: 5, backoff: 1.0, max_backoff: 4.0 };
        let millis = |pass, retry_after, random| {
            retries.pause(pass, retry_after, random).map(|pause: Duration| pause.as_millis())
        };
        assert_eq!([0, 1, 2, 3].map(|pass| millis(pass, None, 1.0)), [1000, 2000, 4000, 4000].map(Some));
        assert_eq!(millis(0, None, 0.0), Some(500));
        assert_eq!(millis(0, Some(Duration::from_secs(3)), 1.0), Some(3000));
        assert_eq!(millis(0, Some(Duration::from_secs(5)), 1.0), None, "longer than max_backoff");
    }
}
