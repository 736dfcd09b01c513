//! What is wrong with a response despite its success status: some servers report an error in a body of status 200, or as
//! the first event of a stream. It is read here for all formats, so that failover, the ledger and clients see the same.

use loam_kernel::{Error, Kind};
use serde_json::Value;

/// An error that a provider reported in place of a response, or in the middle of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedError {
    /// The status that its code or type stands for; 502 if that is unknown.
    pub status: u16,
    /// Its message.
    pub message: String,
    /// The JSON that reports it.
    pub body: String,
}

/// What is wrong with a complete response.
#[derive(Debug)]
pub enum ResponseError {
    /// The provider reports an error.
    Reported(ReportedError),
    /// It is empty, isn't JSON, or has no content.
    Invalid(Error),
}

/// The types and codes of errors that have a status: Anthropic's, OpenAI's and those of compatible servers.
const STATUSES: [(&str, u16); 22] = [
    ("invalid_request_error", 400),
    ("invalid_parameter_error", 400),
    ("BadRequestError", 400),
    ("INVALID_ARGUMENT", 400),
    ("context_length_exceeded", 400),
    ("data_inspection_failed", 400),
    ("authentication_error", 401),
    ("invalid_api_key", 401),
    ("billing_error", 402),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("model_not_found", 404),
    ("request_too_large", 413),
    ("rate_limit_error", 429),
    ("rate_limit_exceeded", 429),
    ("insufficient_quota", 429),
    ("RESOURCE_EXHAUSTED", 429),
    ("api_error", 500),
    ("server_error", 500),
    ("UNAVAILABLE", 503),
    ("timeout_error", 504),
    ("overloaded_error", 529),
];

/// A status in a field, as a number or its digits.
fn numeric_status(value: &Value) -> Option<u16> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u16::try_from(number).ok().filter(|status| (400..600).contains(status))
}

fn status_of(detail: &Value) -> Option<u16> {
    let fields = ["code", "status", "status_code", "type"].map(|name| &detail[name]);
    let named = |value: &&Value| {
        let name = value.as_str()?;
        STATUSES.iter().find(|(known, _)| *known == name).map(|(_, status)| *status)
    };
    fields.iter().copied().find_map(numeric_status).or_else(|| fields.iter().find_map(named))
}

fn message_of(detail: &Value) -> Option<&str> {
    let text = |value: &'_ Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    [detail, &detail["message"], &detail["msg"], &detail["detail"]]
        .into_iter()
        .find(|one| text(one))?
        .as_str()
}

/// Absent, null and empty are alike.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(_) => false,
    }
}

impl ReportedError {
    /// The error that a body or an event reports: its `error`, or all of it if its type says so.
    pub(crate) fn of(json: &Value) -> Option<Self> {
        match &json["error"] {
            error if !is_empty(error) => Some(Self::new(json, error)),
            _ if json["type"] == "error" => Some(Self::new(json, json)),
            _ => None,
        }
    }

    /// Reads the message from `detail`, or from the JSON around it; the status likewise.
    pub(crate) fn new(json: &Value, detail: &Value) -> Self {
        let message = message_of(detail).or_else(|| message_of(json));
        Self {
            status: status_of(detail).or_else(|| status_of(json)).unwrap_or(502),
            message: message.map_or_else(|| detail.to_string(), str::to_owned),
            body: json.to_string(),
        }
    }
}

impl ResponseError {
    /// What is wrong with JSON without content.
    pub(crate) fn without_content(json: &Value, why: &str) -> Self {
        match ReportedError::of(json) {
            Some(reported) => Self::Reported(reported),
            None if message_of(json).is_some() => Self::Reported(ReportedError::new(json, json)),
            None => Self::invalid(why),
        }
    }

    /// Checks a suspicious body: it must report no error, and hold this list.
    pub(crate) fn check(body: &[u8], content: &str) -> Result<(), Self> {
        let json: Value = serde_json::from_slice(body).map_err(|error| Self::unreadable(body, &error))?;
        match ReportedError::of(&json) {
            Some(reported) => Err(Self::Reported(reported)),
            None if json[content].is_array() => Ok(()),
            None => Err(Self::without_content(&json, &format!("it has no {content}"))),
        }
    }

    /// What is wrong with a body whose JSON could not be read.
    pub(crate) fn unreadable(body: &[u8], error: &serde_json::Error) -> Self {
        match body.trim_ascii() {
            [] => Self::invalid("it is empty"),
            [b'<', ..] => Self::invalid("it is HTML, not JSON"),
            _ => Self::invalid(error),
        }
    }

    /// A response that is invalid for another reason.
    pub(crate) fn invalid(why: impl std::fmt::Display) -> Self {
        let message = format!("the provider's response is invalid: {why}");
        Self::Invalid(Error::new(Kind::BadGateway, "provider_answer_invalid", message))
    }
}

impl From<ResponseError> for Error {
    /// For a response that has been checked before.
    fn from(error: ResponseError) -> Self {
        match error {
            ResponseError::Reported(reported) => {
                Self::new(Kind::BadGateway, "provider_failed", reported.message)
            }
            ResponseError::Invalid(error) => error,
        }
    }
}

#[cfg(test)]
mod tests;
