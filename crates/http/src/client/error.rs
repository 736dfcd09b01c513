//! Why a request got no answer.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// The step that failed before the head of an answer was there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The URL is not one that this client sends to.
    #[error("the URL {reason}")]
    Url {
        /// What it must be.
        reason: &'static str,
    },
    /// Every address of the host is refused; this is the first of them.
    #[error("`{host}` ({address}) can't be reached: {reason}")]
    Refused {
        /// The host of the URL.
        host: String,
        /// What it resolved to.
        address: IpAddr,
        /// Why the guard refuses it.
        reason: &'static str,
    },
    /// The host's name could not be resolved.
    #[error("the name `{host}` can't be resolved")]
    Dns {
        /// The host of the URL.
        host: String,
        /// The resolver's answer.
        source: io::Error,
    },
    /// No TCP connection came about.
    #[error("`{host}` doesn't accept connections")]
    Connect {
        /// The host of the URL.
        host: String,
        /// The system's answer, from the last address tried.
        source: io::Error,
    },
    /// The TLS handshake failed, or no root certificate is at hand.
    #[error("no secure connection to `{host}`")]
    Tls {
        /// The host of the URL.
        host: String,
        /// What rustls says.
        source: io::Error,
    },
    /// Resolving and connecting took too long.
    #[error("no connection to `{host}` within {after:?}")]
    ConnectTimeout {
        /// The host of the URL.
        host: String,
        /// The time-out.
        after: Duration,
    },
    /// The request was sent and no answer began in time.
    #[error("no answer within {after:?}")]
    FirstByteTimeout {
        /// The time-out.
        after: Duration,
    },
    /// The other side closed the connection before it answered.
    #[error("the connection was closed before an answer")]
    Closed {
        /// Whether the request may have been received.
        sent: bool,
        /// What the connection reported.
        source: hyper::Error,
    },
    /// What came back is not HTTP/1.1, or the request can't be written as such.
    #[error("the answer is not valid HTTP")]
    Protocol {
        /// What hyper says.
        source: hyper::Error,
    },
}

impl SendError {
    /// Whether the other side may have received the request and acted on it. `false` means that it can be sent again,
    /// or elsewhere, without doing anything twice.
    #[must_use]
    pub fn maybe_sent(&self) -> bool {
        match self {
            Self::Url { .. }
            | Self::Refused { .. }
            | Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::ConnectTimeout { .. } => false,
            Self::Closed { sent, .. } => *sent,
            Self::FirstByteTimeout { .. } | Self::Protocol { .. } => true,
        }
    }

    /// Whether a time-out ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::ConnectTimeout { .. } | Self::FirstByteTimeout { .. })
    }
}
