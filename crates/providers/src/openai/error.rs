//! A provider's error, forwarded with the name of the provider, and with its own status unless the client would take it for
//! an answer to its own credential.

use std::time::Duration;

use loam_kernel::{Error, Kind};
use serde_json::Value;

/// Characters shown of an error that isn't JSON.
const MAX_SHOWN_CHARS: usize = 300;

/// The code for a provider's account without credit.
const OUT_OF_CREDIT: &str = "provider_out_of_credit";

/// The error for the client. Understands the shapes of OpenAI and Anthropic, `{"error": {"message"}}`, and
/// `{"message"}`.
pub(crate) fn error_from(provider: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = &json["error"];
    let text = detail["message"].as_str().or_else(|| detail.as_str()).or_else(|| json["message"].as_str());
    let text = text
        .map_or_else(|| String::from_utf8_lossy(body).chars().take(MAX_SHOWN_CHARS).collect(), str::to_owned);
    let (kind, code) = match status {
        402 => (Kind::Forbidden, OUT_OF_CREDIT),
        // OpenAI sends 429 for both, and Anthropic 400 for this; waiting helps with neither
        429 if detail["code"] == "insufficient_quota" => (Kind::TooMany, OUT_OF_CREDIT),
        400 if text.starts_with("Your credit balance is too low") => (Kind::Forbidden, OUT_OF_CREDIT),
        401 | 403 => (Kind::Forbidden, "provider_refused_credentials"),
        404 => (Kind::NotFound, "provider_not_found"),
        408 | 504 => (Kind::Timeout, "provider_timeout"),
        429 => (Kind::TooMany, "provider_rate_limit"),
        400..=499 => (Kind::Invalid, "provider_refused_request"),
        _ => (Kind::BadGateway, "provider_failed"),
    };
    let message = format!("provider `{provider}` responded with {status}: {}", text.trim());
    // the client would take these for an answer to its own credential
    let status = if matches!(status, 401 | 403) { 502 } else { status };
    let mut error = Error::new(kind, code, message).with_status(status);
    if let Some(param) = detail["param"].as_str() {
        error = error.with_param(param);
    }
    match retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    }
}
