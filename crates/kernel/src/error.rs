//! The error type of all crates: a message for the caller, and the cause for the log.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error means to the caller; determines the HTTP status and the `type` of the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request is malformed (400).
    Invalid,
    /// No credential, or one that isn't valid (401).
    Unauthenticated,
    /// A valid credential without the right (403).
    Forbidden,
    /// No such resource in the caller's tenant (404).
    NotFound,
    /// It already exists, or its state does not allow the change (409).
    Conflict,
    /// `If-Match` names an older version (412).
    PreconditionFailed,
    /// The body is larger than allowed (413).
    TooLarge,
    /// Too many requests or a full queue (429).
    TooMany,
    /// An internal failure (500); the cause is not shown to the caller.
    Internal,
    /// Something that Loam depends on is temporarily unavailable (503).
    Unavailable,
    /// A provider's response is invalid or an error (502).
    BadGateway,
    /// A provider or a client took too long (the HTTP layer chooses 504 or 408).
    Timeout,
}

/// An error with a stable code, a message for the caller and, for the log only, its cause.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    code: &'static str,
    message: String,
    param: Option<String>,
    retry_after: Option<Duration>,
    status: Option<u16>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind, with a code that programs can match and a message for people.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            code,
            message: message.into(),
            param: None,
            retry_after: None,
            status: None,
            source: None,
        }))
    }

    /// A field of the request is invalid; `param` is its path.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, "invalid_value", message).with_param(param)
    }

    /// There is no `what` with that id in the caller's tenant.
    pub fn not_found(what: &str) -> Self {
        Self::new(Kind::NotFound, "not_found", format!("no {what} with this id"))
    }

    /// A unique value already exists; `param` is the field.
    pub fn already_exists(param: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, "already_exists", message).with_param(param)
    }

    /// The credential lacks a permission.
    pub fn forbidden(permission: &str) -> Self {
        Self::new(
            Kind::Forbidden,
            "missing_permission",
            format!("this credential lacks the permission `{permission}`"),
        )
    }

    /// An internal failure; the cause goes to the log only.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Kind::Internal, "internal_error", "internal server error").with_source(source)
    }

    /// Something is temporarily unavailable; the caller may retry after the given time.
    pub fn unavailable(code: &'static str, message: impl Into<String>, retry_after: Duration) -> Self {
        let mut error = Self::new(Kind::Unavailable, code, message);
        error.0.retry_after = Some(retry_after);
        error
    }

    /// Sets the invalid field.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    /// Sets the time after which a retry makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Overrides the kind's HTTP status: a provider's error is passed on with its status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The kind of error.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The message for the caller.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The invalid field.
    pub fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// The time after which a retry makes sense.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The HTTP status of the response.
    pub fn status(&self) -> u16 {
        self.0.status.unwrap_or(match self.0.kind {
            Kind::Invalid => 400,
            Kind::Unauthenticated => 401,
            Kind::Forbidden => 403,
            Kind::NotFound => 404,
            Kind::Conflict => 409,
            Kind::PreconditionFailed => 412,
            Kind::TooLarge => 413,
            Kind::TooMany => 429,
            Kind::Internal => 500,
            Kind::BadGateway => 502,
            Kind::Unavailable => 503,
            Kind::Timeout => 504,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(param) = &self.0.param {
            write!(f, " (`{param}`)")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("param", &self.0.param)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
