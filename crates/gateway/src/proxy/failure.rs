//! Why an attempt to get a response failed, and the error for the client.

use http::HeaderMap;
use loam_http::client::SendError;
use loam_kernel::{Error, Kind};

use super::call::Call;

/// An error for the client, with the provider's headers that concern it: its limits, and when to try again.
pub(super) struct CallError {
    pub(super) error: Error,
    pub(super) headers: HeaderMap,
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self { error, headers: HeaderMap::new() }
    }
}

/// Why an attempt failed.
pub(super) struct Failure {
    pub(super) error: CallError,
    pub(super) kind: FailureKind,
}

impl Failure {
    pub(super) fn new(error: Error, kind: FailureKind) -> Self {
        Self { error: error.into(), kind }
    }

    pub(super) fn transient(error: Error) -> Self {
        Self::new(error, FailureKind::Transient)
    }

    /// No response began.
    pub(super) fn unanswered(provider: &str, error: SendError) -> Self {
        let kind = match error {
            SendError::Url { .. } | SendError::Refused { .. } => FailureKind::Destination,
            _ => FailureKind::Transient,
        };
        Self::new(unanswered(provider, error), kind)
    }
}

/// The kind of failure, which decides what is tried next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// The request is invalid: no target would accept it.
    InvalidRequest,
    /// The destination can't serve this request: another one may.
    Destination,
    /// The key was rejected: another one may work. `transient`: this one may work later.
    Key { transient: bool },
    /// A transient failure: the same attempt may succeed later.
    Transient,
    /// The deadline of the call passed during the attempt: no time is left for another.
    DeadlineExceeded,
}

impl FailureKind {
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            401..=403 => Self::Key { transient: false },
            429 => Self::Key { transient: true },
            404 | 405 | 501 => Self::Destination,
            408 | 409 | 425 | 500.. => Self::Transient,
            _ => Self::InvalidRequest,
        }
    }
}

/// The error for a provider that could not be reached, or did not start to respond in a way that can be read.
fn unanswered(provider: &str, error: SendError) -> Error {
    let (kind, code) = match &error {
        SendError::Encoding { .. } => (Kind::BadGateway, "provider_answer_invalid"),
        error if error.is_timeout() => (Kind::Timeout, "provider_timeout"),
        _ => (Kind::BadGateway, "provider_unreachable"),
    };
    Error::new(kind, code, format!("provider `{provider}` could not be reached: {error}")).with_source(error)
}

/// The error for a response that ended early.
pub(super) fn interrupted(provider: &str, why: &str) -> Error {
    let message = format!("provider `{provider}` did not complete its response: {why}");
    Error::new(Kind::BadGateway, "provider_broke_off", message)
}

/// The error for a route whose total timeout has passed.
pub(super) fn deadline_exceeded(call: &Call) -> Error {
    let alias = call.plan.route().map(|route| route.alias.as_str()).unwrap_or_default();
    let message = format!("route `{alias}` got no response within its total timeout");
    Error::new(Kind::Timeout, "route_timeout", message)
}
