//! Details and tags of a call.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::limits::{MAX_FIELDS, MAX_TEXT};
use super::text::{Seconds, Text};
use super::wire_call::DetailInfo;
use crate::redact;
use crate::trace::{Detail, OperationKind, TAGS_ATTRIBUTE};

/// Maximum number of tags of a call.
const MAX_TAGS: usize = 20;
/// Maximum length of a tag, in bytes.
const MAX_TAG: usize = 50;

/// Details with the tags that the application gave the call.
pub(super) fn with_tags(detail: Option<Detail>, tags: &[Text<'_>]) -> Option<Detail> {
    let tags: Vec<&str> =
        tags.iter().take(MAX_TAGS).map(|tag| tag.truncated(MAX_TAG)).filter(|tag| !tag.is_empty()).collect();
    if tags.is_empty() {
        return detail;
    }
    let mut detail = detail.unwrap_or_default();
    let tags = redact::text(&tags.join("\n")).into_owned();
    detail.attributes.insert(TAGS_ATTRIBUTE.to_owned(), tags);
    Some(detail)
}

/// Details without values and secrets.
pub(super) fn redacted_detail(input: &DetailInfo<'_>, kind: OperationKind) -> Detail {
    let short = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.truncated(200).to_owned());
    let is_key =
        kind == OperationKind::Cache || input.system.as_ref().is_some_and(|system| system.0 == "redis");
    let statement = input.statement.as_ref().map(|text| match kind {
        _ if is_key => redact::key(text.truncated(MAX_TEXT)),
        OperationKind::Database => redact::statement(&text.0),
        OperationKind::ExternalApi => redact::address(text.truncated(MAX_TEXT)),
        _ => redact::text(text.truncated(MAX_TEXT)).into_owned(),
    });
    let mut attributes: Map<String, Value> = input
        .attributes
        .iter()
        .take(MAX_FIELDS)
        .map(|(name, value)| (name.truncated(200).to_owned(), Value::from(value.truncated(MAX_TEXT))))
        .collect();
    redact::attributes(&mut attributes);
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Detail {
        system: short(&input.system),
        operation: short(&input.operation),
        statement,
        target: input.target.as_ref().map(|text| redact::address(text.truncated(MAX_TEXT))),
        hit: input.hit,
        status_code: input.status_code,
        first_byte_ns: input.first_byte.and_then(Seconds::as_nanos),
        rows: input.rows,
        attributes: attributes
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect::<BTreeMap<_, _>>(),
    }
}
