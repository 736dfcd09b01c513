//! What can be set about outgoing requests.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::Network;

/// Where outgoing requests may go and how long they may take.
///
/// Link-local, metadata, multicast, documentation and other addresses that no service answers on are refused whatever
/// is set here.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether private addresses may be reached: RFC 1918, `fc00::/7`, `100.64.0.0/10`.
    pub allow_private: bool,
    /// Whether this machine itself may be reached: `127.0.0.0/8`, `::1`. What listens there is often meant for this
    /// machine alone, so nothing but this setting or a network allows it.
    pub allow_loopback: bool,
    /// Private or loopback networks that may be reached even so, as `10.1.0.0/16` or `fd00::/8`; a bare address is a
    /// network of one.
    pub allow_networks: Vec<Network>,
    /// PEM file with certificates of authorities that are trusted besides the system's own.
    pub ca_file: Option<PathBuf>,
    /// Seconds for name resolution, TCP and TLS together.
    pub connect_timeout: u64,
    /// Seconds from sending a request until the head of its answer is there; models think for long.
    pub first_byte_timeout: u64,
    /// Seconds without a byte after which a started answer is given up. An answer may take any time in all.
    pub idle_timeout: u64,
    /// Seconds that a connection without a request is kept.
    pub pool_idle_timeout: u64,
    /// Connections without a request that are kept for one host, in each worker.
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
    /// The configured time-outs, for a request that has no others.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(self.connect_timeout),
            first_byte: Duration::from_secs(self.first_byte_timeout),
            idle: Duration::from_secs(self.idle_timeout),
        }
    }
}

/// How long the steps of one request may take. There is no limit on the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution, TCP and TLS together, when no idle connection is at hand.
    pub connect: Duration,
    /// From sending the request until the head of the answer is there.
    pub first_byte: Duration,
    /// Between two parts of the body; counts only while the reader waits.
    pub idle: Duration,
}
