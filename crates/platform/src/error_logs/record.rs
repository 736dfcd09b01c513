//! An error record as stored in the journal.

use chrono::{DateTime, Utc};
use loam_journal::Frame;
use loam_kernel::{Error, ErrorLogId, NodeId, Result, TenantId, hex, truncate_chars};
use serde::{Deserialize, Serialize};

use crate::records;

/// A redacted text of at most `max` characters, without a NUL.
pub(super) fn clean(text: &str, max: usize) -> String {
    records::text(truncate_chars(text, max)).replace('\0', "\u{fffd}")
}

/// The version of the fields below. They are encoded by their order, so any change needs a new version, and a reader for
/// the old one as long as a journal may still contain it.
const FORMAT_VERSION: u8 = 1;

/// An error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) tenant: TenantId,
    pub(super) id: ErrorLogId,
    pub(super) node: NodeId,
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) trace: Option<String>,
    pub(super) request_id: Option<String>,
    /// JSON.
    pub(super) context: String,
    pub(super) fingerprint: [u8; 16],
    /// Microseconds since 1970.
    pub(super) created_us: i64,
}

impl Record {
    pub(super) fn frame(&self) -> Result<Vec<u8>> {
        postcard::to_extend(self, vec![FORMAT_VERSION]).map_err(Error::internal)
    }

    pub(super) fn read(frame: &Frame) -> Result<Self> {
        match frame.payload.split_first() {
            Some((&FORMAT_VERSION, fields)) => postcard::from_bytes(fields).map_err(Error::internal),
            _ => Err(Error::internal("an error's frame has an unknown format version")),
        }
    }

    pub(super) fn created_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.created_us).unwrap_or_default()
    }

    pub(super) fn fingerprint(&self) -> String {
        hex(self.fingerprint)
    }
}
