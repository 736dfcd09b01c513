//! A provider's error, passed on with its own status and the name of the provider.

use std::time::Duration;

use loam_kernel::{Error, Kind};
use serde_json::Value;

/// How much of an error that isn't JSON is shown.
const SHOWN: usize = 300;

/// The code for a provider's account that has nothing left.
const OUT_OF_CREDIT: &str = "provider_out_of_credit";

/// The error for the client. Read are the shapes of OpenAI and Anthropic, `{"error": {"message"}}`, and `{"message"}`.
pub(crate) fn error_from(provider: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let fault = &json["error"];
    let said = fault["message"].as_str().or_else(|| fault.as_str()).or_else(|| json["message"].as_str());
    let said =
        said.map_or_else(|| String::from_utf8_lossy(body).chars().take(SHOWN).collect(), str::to_owned);
    let (kind, code) = match status {
        402 => (Kind::Forbidden, OUT_OF_CREDIT),
        // OpenAI has a 429 for both, and Anthropic a 400 for this; waiting helps with neither
        429 if fault["code"] == "insufficient_quota" => (Kind::TooMany, OUT_OF_CREDIT),
        400 if said.starts_with("Your credit balance is too low") => (Kind::Forbidden, OUT_OF_CREDIT),
        401 | 403 => (Kind::Forbidden, "provider_refused_credentials"),
        404 => (Kind::NotFound, "provider_not_found"),
        408 | 504 => (Kind::Timeout, "provider_timeout"),
        429 => (Kind::TooMany, "provider_rate_limit"),
        400..=499 => (Kind::Invalid, "provider_refused_request"),
        _ => (Kind::BadGateway, "provider_failed"),
    };
    let message = format!("provider `{provider}` answered {status}: {}", said.trim());
    let mut error = Error::new(kind, code, message).with_status(status);
    if let Some(param) = fault["param"].as_str() {
        error = error.with_param(param);
    }
    match retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    }
}
