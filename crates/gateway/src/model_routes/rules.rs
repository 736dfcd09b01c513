//! How long a call of a route may take, how often it is tried, and when a failing target is left alone.

use std::time::Duration;

use loam_http::client::Timeouts;
use loam_kernel::{Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::catalog::CoolDown;

/// How long the steps of a call may take, in seconds; what is left out is as the provider's configuration says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteTimeouts {
    /// Until the connection stands: name, TCP and TLS together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<f64>,
    /// From then until the first byte of the answer's body (of a stream: its first event).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token: Option<f64>,
    /// Without a byte, once the answer has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<f64>,
    /// The whole call, all tries and pauses and the stream included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
}

/// How often and when a route is tried again. A try is a pass over all targets: the next target is tried at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retries {
    /// Passes over the targets after the first; 2 unless given.
    pub rounds: u32,
    /// Seconds before the second pass, doubled before each further one; half of it is left to chance. 0.25 unless given.
    /// A provider's `Retry-After` is honoured when it fits.
    pub backoff: f64,
    /// The longest pause, in seconds; 8 unless given.
    pub max_backoff: f64,
}

impl Default for Retries {
    fn default() -> Self {
        Self { rounds: 2, backoff: 0.25, max_backoff: 8.0 }
    }
}

/// When a failing target is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CoolDownRule {
    /// Failures in a row; 3 unless given.
    pub failures: u32,
    /// Seconds; 5 unless given. Then one call tries the target; if that fails, twice as long, up to five minutes.
    pub seconds: f64,
}

impl Default for CoolDownRule {
    fn default() -> Self {
        Self { failures: 3, seconds: 5.0 }
    }
}

impl From<CoolDownRule> for CoolDown {
    fn from(rule: CoolDownRule) -> Self {
        Self { after: rule.failures, rest: seconds(rule.seconds) }
    }
}

/// What has been checked to be a sensible number of seconds.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn within(param: &str, value: f64, least: f64, most: f64) -> Result<()> {
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
            .try_for_each(|(param, value)| value.map_or(Ok(()), |v| within(param, v, 0.05, 3600.0)))
    }

    /// Over a provider's own.
    pub(crate) fn over(&self, own: Timeouts) -> Timeouts {
        Timeouts {
            connect: self.connect.map_or(own.connect, seconds),
            first_byte: self.first_token.map_or(own.first_byte, seconds),
            idle: self.idle.map_or(own.idle, seconds),
        }
    }

    /// How long a call may take in all.
    pub(crate) fn total(&self) -> Option<Duration> {
        self.total.map(seconds)
    }
}

impl Retries {
    pub(super) fn check(&self) -> Result<()> {
        if self.rounds > 10 {
            return Err(Error::invalid("retries.rounds", "must be 0 to 10"));
        }
        within("retries.backoff", self.backoff, 0.0, 60.0)?;
        within("retries.max_backoff", self.max_backoff, 0.0, 300.0)
    }

    /// How long to wait before a further pass, the first being number 0; `retry_after` is the shortest of the last pass.
    /// None when that exceeds `max_backoff`. `chance` is from 0 to 1.
    pub(crate) fn pause(&self, pass: u32, retry_after: Option<Duration>, chance: f64) -> Option<Duration> {
        let longest = seconds(self.max_backoff);
        let backoff = seconds(self.backoff).saturating_mul(1 << pass.min(16)).min(longest);
        let pause = backoff.mul_f64(0.5 + chance / 2.0);
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
        within("cool_down.seconds", self.seconds, 0.0, 300.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_honour_what_a_provider_says() {
        let retries = Retries { rounds: 5, backoff: 1.0, max_backoff: 4.0 };
        let millis =
            |pass, told, chance| retries.pause(pass, told, chance).map(|pause: Duration| pause.as_millis());
        assert_eq!([0, 1, 2, 3].map(|pass| millis(pass, None, 1.0)), [1000, 2000, 4000, 4000].map(Some));
        assert_eq!(millis(0, None, 0.0), Some(500));
        assert_eq!(millis(0, Some(Duration::from_secs(3)), 1.0), Some(3000));
        assert_eq!(millis(0, Some(Duration::from_secs(5)), 1.0), None, "nobody waits that long");
    }
}
