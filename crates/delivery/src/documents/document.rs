//! What a kind of documents is to the code that stores all of them.

use loam_kernel::{Error, Kind, Result, bounded, merge_object, truncate_chars};
use loam_platform::changes::Audited;
use sea_orm::{EntityTrait, IntoActiveModel, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::DocumentStatus;
use crate::document_versions::entity as versions;

/// Maximum length of a title, in characters.
const MAX_TITLE: usize = 200;

/// What is versioned of a document.
pub(crate) trait Content: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// Rejects what is not valid, naming the field.
    fn validate(&self) -> Result<()>;
}

/// The table of a kind of documents. A row has what lists show and filter by; the content is in the versions.
pub(crate) trait Document:
    Audited + EntityTrait<Model: IntoActiveModel<<Self as EntityTrait>::ActiveModel> + Sync, ActiveModel: Send>
{
    /// Its content.
    type Content: Content;
    const PROJECT: Self::Column;
    const STATUS: Self::Column;
    const VERSION: Self::Column;
    const APPROVED_VERSION: Self::Column;
    const CREATED_AT: Self::Column;
    /// The column of the versions that names the document.
    const OWNER: versions::Column;

    fn head(row: &Self::Model) -> Head;

    /// The columns that follow from the content.
    fn columns(content: &Self::Content) -> Vec<(Self::Column, Value)>;
}

/// What each document has.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) id: Uuid,
    pub(crate) status: DocumentStatus,
    pub(crate) version: i64,
}

impl Head {
    /// Rejects a change that is based on another version than the current one.
    pub(super) fn check_base(&self, base: i64) -> Result<()> {
        if base == self.version {
            return Ok(());
        }
        let current = self.version;
        let message = format!(
            "the change is based on version {base}, but the current version is {current}; compare them, and repeat your \
             change with `base_version` {current}"
        );
        Err(Error::new(Kind::Conflict, "version_conflict", message).with_param("base_version"))
    }
}

/// How a version came about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Save {
    pub(crate) message: Option<String>,
    /// The model that wrote it.
    pub(crate) model: Option<String>,
}

impl Save {
    pub(super) fn validate(&self) -> Result<()> {
        self.message.as_deref().map_or(Ok(()), |text| bounded("message", text, 1000))?;
        self.model.as_deref().map_or(Ok(()), |text| bounded("model", text, 200))
    }
}

/// A field of a content after a change of some of its fields.
///
/// # Errors
/// When the result is not valid; the error names the field at fault.
pub(crate) fn merged<T: DeserializeOwned>(
    param: &str,
    stored: &impl Serialize,
    change: Map<String, Json>,
) -> Result<T> {
    let stored = serde_json::to_value(stored).map_err(Error::internal)?;
    let value = merge_object(param, &stored, change)?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let param = if path == "." { param.to_owned() } else { format!("{param}.{path}") };
        Error::invalid(param, format!("is invalid: {}", error.into_inner()))
    })
}

/// Rejects a title that is empty or too long.
pub(crate) fn check_title(title: Option<&str>) -> Result<()> {
    title.map_or(Ok(()), |title| bounded("title", title, MAX_TITLE))
}

/// The title of a text that has none: its first line, without the marks of a Markdown heading.
pub(crate) fn first_line(text: &str) -> Option<String> {
    let mut lines = text.lines().map(|line| line.trim_start_matches('#').trim());
    let line = lines.find(|line| !line.is_empty())?;
    Some(truncate_chars(line, 80).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_of_a_text_is_its_first_line() {
        assert_eq!(first_line("\n\n## 订单系统  \nmore").as_deref(), Some("订单系统"));
        assert_eq!(first_line(&"长".repeat(100)), Some("长".repeat(80)));
        assert_eq!(first_line(" \n#\n"), None);
    }
}
