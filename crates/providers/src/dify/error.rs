//! Dify's errors: `{"code", "message", "status"}`. Some that are caused by the application come with status 400.

use std::time::Duration;

use loam_kernel::Error;
use serde_json::Value;

use crate::ReportedError;
use crate::openai::error_from;

/// The status that matches the meaning of a code.
fn status_of(code: &str, status: u16) -> u16 {
    match code {
        // the quota of the model behind the application is exhausted
        "provider_quota_exceeded" => 402,
        // the application is unavailable, or its model failed
        "app_unavailable"
        | "provider_not_initialize"
        | "model_currently_not_support"
        | "completion_request_error" => 502,
        _ => status,
    }
}

/// The error for the client.
pub(super) fn error(provider: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let status = status_of(json["code"].as_str().unwrap_or_default(), status);
    error_from(provider, status, body, retry_after)
}

/// An error in a stream.
pub(super) fn stream_error(event: &Value) -> ReportedError {
    let code = event["code"].as_str().unwrap_or("error");
    let message = event["message"].as_str().unwrap_or("the application gave no reason");
    let error = ReportedError::new(event, event);
    ReportedError { status: status_of(code, error.status), message: format!("{code}: {message}"), ..error }
}
