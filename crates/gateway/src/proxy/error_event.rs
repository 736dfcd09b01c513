//! Error events in the format of the called endpoint.

use bytes::Bytes;
use loam_kernel::Error;
use loam_providers::{Endpoint, anthropic_error};
use serde_json::json;

/// Encodes the event that reports an error to the client of a stream.
pub(super) fn encode(endpoint: Endpoint, error: &Error, request_id: &str) -> Bytes {
    let text = match endpoint {
        Endpoint::Messages => format!("event: error\ndata: {}\n\n", anthropic_error(error, request_id)),
        Endpoint::Responses => {
            let body =
                json!({ "type": "error", "code": error.code(), "message": error.message(), "param": null });
            format!("event: error\ndata: {body}\n\n")
        }
        _ => {
            let body = json!({ "error": {
                "code": error.code(),
                "message": error.message(),
                "type": "server_error",
                "param": null,
                "request_id": request_id,
            }});
            format!("data: {body}\n\n")
        }
    };
    Bytes::from(text)
}
