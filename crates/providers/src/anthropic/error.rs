//! Errors in Anthropic's shape, for clients of its format (platform.claude.com/docs/en/api/errors).

use loam_kernel::Error;
use serde_json::{Value, json};

/// The type of an error, by its status.
fn kind_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// The body of an error for a client that speaks Anthropic's format.
pub fn anthropic_error(error: &Error, request_id: &str) -> Value {
    // the shape has no field for the parameter, so the message names it, as Anthropic's own messages do
    let message = match error.param() {
        Some(param) => format!("{param}: {}", error.message()),
        None => error.message().to_owned(),
    };
    json!({
        "type": "error",
        "error": {"type": kind_of(error.status()), "message": message},
        "request_id": request_id,
    })
}

#[cfg(test)]
mod tests {
    use loam_kernel::Kind;

    use super::*;

    #[test]
    fn every_status_has_anthropics_error_type() {
        let kind = |status| {
            let error = Error::new(Kind::Invalid, "x", "no").with_status(status);
            anthropic_error(&error, "req_1")["error"]["type"].as_str().unwrap_or_default().to_owned()
        };
        let kinds = [400, 401, 402, 403, 404, 413, 422, 429, 500, 502, 503, 504, 529].map(kind);
        assert_eq!(
            kinds,
            [
                "invalid_request_error",
                "authentication_error",
                "billing_error",
                "permission_error",
                "not_found_error",
                "request_too_large",
                "invalid_request_error",
                "rate_limit_error",
                "api_error",
                "api_error",
                "overloaded_error",
                "timeout_error",
                "overloaded_error",
            ]
        );
        let error = anthropic_error(&Error::invalid("max_tokens", "is missing"), "req_1");
        assert_eq!(
            error,
            json!({"type": "error", "request_id": "req_1",
                "error": {"type": "invalid_request_error", "message": "max_tokens: is missing"}})
        );
    }
}
