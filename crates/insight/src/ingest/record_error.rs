//! Why a record is rejected.

use std::fmt;

/// An error in a record or span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordError {
    /// Stable error code, for programs.
    pub(crate) code: &'static str,
    /// Message for people.
    pub(crate) message: String,
    /// The invalid field, as a path within the record.
    pub(crate) param: Option<String>,
}

impl RecordError {
    pub(crate) fn new(code: &'static str, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: Some(param.into()) }
    }

    /// A field with an invalid value.
    pub(super) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("invalid_value", param, message)
    }

    /// From a parser's message about a record.
    pub(crate) fn unreadable(path: &serde_path_to_error::Path, message: &str) -> Self {
        // line numbers don't help someone who sees only the record, and the list of all fields is long
        let message = message.split(" at line ").next().unwrap_or(message);
        let message = message.split(", expected one of").next().unwrap_or(message);
        let mut param = Some(path.to_string()).filter(|path| path != ".");
        let missing = message.strip_prefix("missing field `").and_then(|message| message.split_once('`'));
        if let Some((name, _)) = missing {
            param = Some(param.map_or_else(|| name.to_owned(), |path| format!("{path}.{name}")));
        }
        Self { code: "invalid_record", message: message.to_owned(), param }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.param {
            Some(param) => write!(f, "{param}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
