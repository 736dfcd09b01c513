//! The response to a call, before it is given to the caller: over HTTP, or to Loam's own code.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use loam_providers::openai::ChatOutput;

use super::response_cache::ResponseHead;
use super::streamed::Relay;

/// A successful response.
pub(super) struct CallResponse {
    pub(super) head: ResponseHead,
    pub(super) body: CallBody,
}

/// The body of a response.
pub(super) enum CallBody {
    /// It is complete, and the call settled.
    Complete {
        body: Bytes,
        /// What it says, if the caller takes the output.
        output: Option<Box<ChatOutput>>,
    },
    /// It arrives, and the call is settled at its end or when it is dropped.
    Streamed(Box<Relay>),
}

impl IntoResponse for CallResponse {
    fn into_response(self) -> Response {
        let body = match self.body {
            CallBody::Complete { body, .. } => Body::from(body),
            CallBody::Streamed(relay) => Body::new(relay),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.head.status;
        *response.headers_mut() = self.head.headers;
        response
    }
}
