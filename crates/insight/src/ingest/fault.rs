//! Why a record can't be taken.

use std::fmt;

/// What is wrong with a record, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// For programs.
    pub(crate) code: &'static str,
    /// For people: what to do.
    pub(crate) message: String,
    /// The field, as a path within the record.
    pub(crate) param: Option<String>,
}

impl Fault {
    pub(crate) fn new(code: &'static str, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), param: Some(param.into()) }
    }

    /// A value that isn't acceptable.
    pub(super) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("invalid_value", param, message)
    }

    /// What a parser says of a record.
    pub(crate) fn unreadable(path: &serde_path_to_error::Path, said: &str) -> Self {
        // the place is of no use to who sees only the record, and the list of all fields is long
        let said = said.split(" at line ").next().unwrap_or(said);
        let said = said.split(", expected one of").next().unwrap_or(said);
        let mut param = Some(path.to_string()).filter(|path| path != ".");
        let missing = said.strip_prefix("missing field `").and_then(|said| said.split_once('`'));
        if let Some((name, _)) = missing {
            param = Some(param.map_or_else(|| name.to_owned(), |path| format!("{path}.{name}")));
        }
        Self { code: "invalid_record", message: said.to_owned(), param }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.param {
            Some(param) => write!(f, "{param}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
