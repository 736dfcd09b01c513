//! The details of a packed trace chunk. They are encoded by the order of their fields, so a new field needs a new version of
//! [`TRACE_CHUNK`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use loam_kernel::Result;
use loam_platform::varint::{Reader, put_varint};
use serde::{Deserialize, Serialize, Serializer};

use super::chunk::{Detail, TRACE_CHUNK};

#[derive(Serialize, Deserialize)]
struct StoredDetail<'a> {
    #[serde(borrow)]
    system: Option<Cow<'a, str>>,
    #[serde(borrow)]
    operation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    statement: Option<Cow<'a, str>>,
    #[serde(borrow)]
    target: Option<Cow<'a, str>>,
    hit: Option<bool>,
    status_code: Option<u16>,
    first_byte_ns: Option<u64>,
    rows: Option<u64>,
    attributes: Cow<'a, BTreeMap<String, String>>,
}

/// Details that are encoded without a copy of them.
struct StoredDetails<'a>(&'a [&'a Detail]);

impl Serialize for StoredDetails<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|detail| StoredDetail::from(*detail)))
    }
}

/// Appends the length of the encoded details, and the details; only a zero without any.
pub(super) fn put(bytes: &mut Vec<u8>, details: &[&Detail]) -> Result<()> {
    let details =
        if details.is_empty() { Vec::new() } else { TRACE_CHUNK.encode_part(&StoredDetails(details))? };
    put_varint(bytes, details.len() as u64);
    bytes.extend_from_slice(&details);
    Ok(())
}

/// Reads what [`put`] appended; `None` if it is invalid.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Vec<Arc<Detail>>> {
    let length = reader.count(1)?;
    let stored: Vec<StoredDetail<'_>> = match reader.slice(length)? {
        [] => Vec::new(),
        part => TRACE_CHUNK.decode(part).ok()?,
    };
    Some(stored.into_iter().map(|stored| Arc::new(stored.into())).collect())
}

impl<'a> From<&'a Detail> for StoredDetail<'a> {
    fn from(detail: &'a Detail) -> Self {
        let text = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        Self {
            system: text(&detail.system),
            operation: text(&detail.operation),
            statement: text(&detail.statement),
            target: text(&detail.target),
            hit: detail.hit,
            status_code: detail.status_code,
            first_byte_ns: detail.first_byte_ns,
            rows: detail.rows,
            attributes: Cow::Borrowed(&detail.attributes),
        }
    }
}

impl From<StoredDetail<'_>> for Detail {
    fn from(stored: StoredDetail<'_>) -> Self {
        Self {
            system: stored.system.map(Cow::into_owned),
            operation: stored.operation.map(Cow::into_owned),
            statement: stored.statement.map(Cow::into_owned),
            target: stored.target.map(Cow::into_owned),
            hit: stored.hit,
            status_code: stored.status_code,
            first_byte_ns: stored.first_byte_ns,
            rows: stored.rows,
            attributes: stored.attributes.into_owned(),
        }
    }
}
