//! Versions of rows: a row's version is the time of its last change, shown to clients as an entity tag.

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::{Error, Kind, Result};

/// The entity tag of a row that was last changed at `updated_at`.
pub fn etag(updated_at: DateTime<Utc>) -> String {
    format!("\"{:x}\"", updated_at.timestamp_micros())
}

/// The new `updated_at`: now, but always later than before, so that no two versions share a tag.
pub fn next_version(before: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    now.max(before + TimeDelta::microseconds(1))
}

/// The version of a row that the caller wants to change: the entity tags of `If-Match`, or any version.
#[derive(Clone, Debug, Default)]
pub struct ExpectedVersion(Option<String>);

impl ExpectedVersion {
    /// Matches any version.
    pub fn any() -> Self {
        Self(None)
    }

    /// Matches the versions with these entity tags, separated by commas; `*` matches any.
    pub fn tags(tags: impl Into<String>) -> Self {
        Self(Some(tags.into()))
    }

    /// Rejects the change if the expected version differs from `current`.
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub fn check(&self, current: &str) -> Result<()> {
        let wanted =
            |tags: &String| tags.split(',').any(|tag| matches!(tag.trim(), "*") || tag.trim() == current);
        if self.0.as_ref().is_none_or(wanted) {
            return Ok(());
        }
        let message = "it was changed since you read it; read it again, then repeat your change";
        Err(Error::new(Kind::PreconditionFailed, "stale_version", message).with_param("If-Match"))
    }
}
