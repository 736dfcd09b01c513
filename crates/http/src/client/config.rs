//! Configuration of outgoing requests.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Network;

/// Where outgoing requests may go and how long they may take.
///
/// Link-local, metadata, multicast, documentation and other special addresses are always refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether private addresses may be reached: RFC 1918, `fc00::/7`, `100.64.0.0/10`.
    pub allow_private: bool,
    /// Whether this machine itself may be reached: `127.0.0.0/8`, `::1`. Services there are often meant only for this
    /// machine, so only this setting or `allow_networks` allows it.
    pub allow_loopback: bool,
    /// Private or loopback networks that may be reached in any case, such as `10.1.0.0/16` or `fd00::/8`; a bare address is
    /// a network of one.
    pub allow_networks: Vec<Network>,
    /// PEM file with additional trusted certificate authorities.
    pub ca_file: Option<PathBuf>,
    /// Seconds for name resolution, TCP and TLS together.
    pub connect_timeout: u64,
    /// Seconds from sending a request until the head of its response arrives.
    pub first_byte_timeout: u64,
    /// Idle timeout of a response body in seconds. A response may take any time in total.
    pub idle_timeout: u64,
    /// Seconds for which an idle connection is kept open.
    pub pool_idle_timeout: u64,
    /// Maximum number of idle connections per host and worker.
    pub max_idle_per_host: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allow_private: false,
            allow_loopback: false,
            allow_networks: Vec::new(),
            ca_file: None,
            connect_timeout: 5,
            first_byte_timeout: 300,
            idle_timeout: 120,
            pool_idle_timeout: 60,
            max_idle_per_host: 256,
        }
    }
}

impl Config {
    /// The configured timeouts.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(self.connect_timeout),
            first_byte: Duration::from_secs(self.first_byte_timeout),
            idle: Duration::from_secs(self.idle_timeout),
        }
    }
}

/// Timeouts of the steps of a request. The total time is not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution, TCP and TLS together, when no idle connection is at hand.
    pub connect: Duration,
    /// From sending the request until the head of the response arrives.
    pub first_byte: Duration,
    /// Between two parts of the body; only while the reader waits.
    pub idle: Duration,
}
