//! Configuration of log-ins, sessions and tokens.

use std::time::Duration;

use loam_kernel::{Error, Result};
use serde::Deserialize;

/// Maximum lifetime of Loam's own tokens.
pub const MAX_TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// Log-ins, sessions and tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The URL at which browsers reach this server, as `https://loam.example.com`: their expected origin, and the issuer of
    /// tokens. Without it the origin must be the host of the request.
    pub public_url: Option<String>,
    /// Idle timeout of a login session in seconds.
    pub session_idle_timeout: u64,
    /// Maximum lifetime of a login session in seconds.
    pub session_lifetime: u64,
    /// Default lifetime of a token in seconds; at most 3,600.
    pub token_lifetime: u64,
    /// Days after which the signing key is rotated.
    pub signing_key_days: u64,
    /// Passwords that this node hashes concurrently; each uses a thread and 19 MiB.
    pub password_threads: usize,
    /// Failed log-ins to one account before the next one has to wait.
    pub account_failures: u32,
    /// Failed log-ins from one address (a /64 network of IPv6) before the next one has to wait.
    pub address_failures: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: None,
            session_idle_timeout: 12 * 3600,
            session_lifetime: 7 * 86_400,
            token_lifetime: 900,
            signing_key_days: 30,
            password_threads: 2,
            account_failures: 5,
            address_failures: 50,
        }
    }
}

impl Config {
    /// Rejects values that would lock everybody out or never expire.
    pub fn check(&self) -> Result<()> {
        let within = |name: &str, value: u64, most: u64| match (1..=most).contains(&value) {
            true => Ok(()),
            false => Err(Error::invalid(format!("identity.{name}"), format!("must be between 1 and {most}"))),
        };
        within("session_idle_timeout", self.session_idle_timeout, 90 * 86_400)?;
        within("session_lifetime", self.session_lifetime, 365 * 86_400)?;
        within("token_lifetime", self.token_lifetime, MAX_TOKEN_LIFETIME.as_secs())?;
        within("signing_key_days", self.signing_key_days, 3650)?;
        within("password_threads", self.password_threads as u64, 64)?;
        within("account_failures", self.account_failures.into(), 1000)?;
        within("address_failures", self.address_failures.into(), 100_000)?;
        let plain = |url: &String| {
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@']))
        };
        match &self.public_url {
            Some(url) if !plain(url) => Err(Error::invalid(
                "identity.public_url",
                "must consist of scheme and host only, as https://loam.example.com",
            )),
            _ => Ok(()),
        }
    }

    /// The issuer (`iss`) of tokens.
    pub fn issuer(&self) -> &str {
        self.public_url.as_deref().unwrap_or("loam")
    }
}
