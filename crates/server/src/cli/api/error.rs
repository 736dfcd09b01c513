//! An error response of the API: the same text, wherever the API is.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use axum::http::StatusCode;
use loam_kernel::Error;
use serde_json::Value;

/// An error response.
#[derive(Debug)]
pub(super) struct ApiFailure {
    code: String,
    message: String,
    param: Option<String>,
    /// The id in the server's log; only of a failure of a server.
    request_id: Option<String>,
    /// The error itself, in this process, with causes that a response doesn't show.
    error: Option<Arc<Error>>,
}

impl ApiFailure {
    /// An error in this process.
    pub(super) fn local(error: Arc<Error>) -> Self {
        Self {
            code: error.code().to_owned(),
            message: error.message().to_owned(),
            param: error.param().map(str::to_owned),
            request_id: None,
            error: Some(error),
        }
    }

    /// The error in the body of a response; none if the body is no error of the API.
    pub(super) fn remote(status: StatusCode, body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
        Some(Self {
            code: text("code")?,
            message: text("message")?,
            param: text("param"),
            request_id: text("request_id").filter(|_| status.is_server_error()),
            error: None,
        })
    }
}

impl fmt::Display for ApiFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(param) = &self.param {
            write!(f, " (`{param}`)")?;
        }
        write!(f, " [{}", self.code)?;
        if let Some(request_id) = &self.request_id {
            write!(f, ", request {request_id}")?;
        }
        f.write_str("]")
    }
}

impl StdError for ApiFailure {
    /// Not the causes of a refusal: its own message says what to do, and the causes are SQL.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.as_deref().filter(|error| error.status() >= 500).and_then(StdError::source)
    }
}

/// The error of a body that broke off, without axum's wrapper, which would repeat its message.
pub(super) fn of_body(error: axum::Error) -> anyhow::Error {
    match error.into_inner().downcast::<Error>() {
        Ok(error) => ApiFailure::local(Arc::new(*error)).into(),
        Err(other) => anyhow::anyhow!(other),
    }
}

#[cfg(test)]
mod tests {
    use loam_kernel::Kind;

    use super::*;

    #[test]
    fn an_error_reads_the_same_from_either_side() {
        let error = Error::already_exists("slug", "a tenant with this slug already exists");
        let body = loam_http::surface::error_body(&error, "r-1");
        let remote = ApiFailure::remote(StatusCode::CONFLICT, &body).expect("an error");
        let local = ApiFailure::local(Arc::new(error));
        assert_eq!(remote.to_string(), local.to_string());
        assert_eq!(local.to_string(), "a tenant with this slug already exists (`slug`) [already_exists]");
    }

    #[test]
    fn a_failure_names_the_request_and_only_this_machine_its_cause() {
        let error = Error::new(Kind::Internal, "internal_error", "internal server error")
            .with_source(std::io::Error::other("the disk is full"));
        let body = loam_http::surface::error_body(&error, "r-1");
        let remote = ApiFailure::remote(StatusCode::INTERNAL_SERVER_ERROR, &body).expect("an error");
        assert_eq!(remote.to_string(), "internal server error [internal_error, request r-1]");
        assert!(remote.source().is_none());
        let local = ApiFailure::local(Arc::new(error));
        assert_eq!(local.source().expect("a cause").to_string(), "the disk is full");
        assert!(ApiFailure::remote(StatusCode::NOT_FOUND, b"<html>").is_none());
        assert!(ApiFailure::remote(StatusCode::NOT_FOUND, b"{\"error\": \"no\"}").is_none());
    }
}
