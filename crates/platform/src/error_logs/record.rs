//! An error as the journal keeps it.

use chrono::{DateTime, Utc};
use loam_journal::Frame;
use loam_kernel::{Error, ErrorLogId, NodeId, Result, TenantId};
use serde::{Deserialize, Serialize};

use crate::records::{self, shortened};

/// A text without what is secret, that a database takes, at most so long.
pub(super) fn clean(text: &str, max: usize) -> String {
    records::text(&shortened(text, max)).replace('\0', "\u{fffd}")
}

/// The form of the fields below. They are known by their order, so any change to them takes a new number, and a reader
/// for the old one for as long as a journal may still hold it.
const FORM: u8 = 1;

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
        postcard::to_extend(self, vec![FORM]).map_err(Error::internal)
    }

    pub(super) fn read(frame: &Frame) -> Result<Self> {
        match frame.payload.split_first() {
            Some((&FORM, fields)) => postcard::from_bytes(fields).map_err(Error::internal),
            _ => Err(Error::internal("an error's frame has a form that this version doesn't know")),
        }
    }

    pub(super) fn created_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.created_us).unwrap_or_default()
    }

    pub(super) fn fingerprint(&self) -> String {
        self.fingerprint.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
