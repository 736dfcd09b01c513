//! Errors of requests without a response.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// The step that failed before the head of a response arrived.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The URL is invalid or not supported.
    #[error("the URL {reason}")]
    Url {
        /// What is wrong with it.
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
        /// The resolver's error.
        source: io::Error,
    },
    /// No TCP connection came about.
    #[error("`{host}` doesn't accept connections")]
    Connect {
        /// The host of the URL.
        host: String,
        /// The system's error for the last address tried.
        source: io::Error,
    },
    /// The TLS handshake failed, or no root certificate is at hand.
    #[error("no secure connection to `{host}`")]
    Tls {
        /// The host of the URL.
        host: String,
        /// The error of rustls.
        source: io::Error,
    },
    /// Resolving and connecting took too long.
    #[error("no connection to `{host}` within {after:?}")]
    ConnectTimeout {
        /// The host of the URL.
        host: String,
        /// The timeout.
        after: Duration,
    },
    /// The request was sent and no response began in time.
    #[error("no response within {after:?}")]
    FirstByteTimeout {
        /// The timeout.
        after: Duration,
    },
    /// The peer closed the connection before it responded.
    #[error("the connection was closed before a response")]
    Closed {
        /// Whether the request may have been received.
        sent: bool,
        /// What the connection reported.
        source: hyper::Error,
    },
    /// The response is compressed in a way that was not asked for and can't be read.
    #[error("the response has the unknown content-encoding `{name}`")]
    Encoding {
        /// The value of the header.
        name: String,
    },
    /// The response is not valid HTTP/1.1, or the request can't be encoded as such.
    #[error("the response is not valid HTTP")]
    Protocol {
        /// The error of hyper.
        source: hyper::Error,
    },
}

impl SendError {
    /// Whether the peer may have received and processed the request. `false` means that it can safely be sent again.
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
            Self::FirstByteTimeout { .. } | Self::Encoding { .. } | Self::Protocol { .. } => true,
        }
    }

    /// Whether a timeout expired.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::ConnectTimeout { .. } | Self::FirstByteTimeout { .. })
    }
}
