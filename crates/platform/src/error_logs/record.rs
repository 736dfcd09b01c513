//! An error record as stored in the journal.

use chrono::{DateTime, Utc};
use loam_journal::Frame;
use loam_kernel::{ErrorLogId, NodeId, Result, TenantId, hex, truncate_chars};
use serde::{Deserialize, Serialize};

use crate::personal::Named;
use crate::records;
use crate::stored_format::StoredFormat;

/// A redacted text of at most `max` characters, without a NUL.
pub(super) fn clean(text: &str, max: usize) -> String {
    records::text(truncate_chars(text, max)).replace('\0', "\u{fffd}")
}

/// The payload of a frame. The order of the fields below is the format.
pub(crate) const ERROR_LOG_FRAME: StoredFormat = StoredFormat::new("error_log_frame", 1);

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
        ERROR_LOG_FRAME.encode(self)
    }

    pub(super) fn read(frame: &Frame) -> Result<Self> {
        let (_, body) = ERROR_LOG_FRAME.open(&frame.payload)?;
        ERROR_LOG_FRAME.decode(body)
    }

    /// Whom it names, in its texts and its context.
    pub(super) fn named(&self) -> Named {
        let mut named = Named::default();
        named.add_text(&self.message);
        self.trace.iter().for_each(|trace| named.add_text(trace));
        if let Ok(context) = serde_json::from_str(&self.context) {
            named.add_json(&context);
        }
        named
    }

    pub(super) fn created_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.created_us).unwrap_or_default()
    }

    pub(super) fn fingerprint(&self) -> String {
        hex(self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use loam_journal::Position;
    use loam_testkit::check_golden;
    use uuid::Uuid;

    use super::*;
    use crate::records::ERROR_LOG;

    #[test]
    fn all_versions_are_read() {
        let id = Uuid::from_u128;
        let record = Record {
            tenant: id(1).into(),
            id: id(2).into(),
            node: id(3).into(),
            kind: "internal_error".to_owned(),
            message: "no answer".to_owned(),
            trace: Some("at line 7".to_owned()),
            request_id: Some("r".to_owned()),
            context: "{}".to_owned(),
            fingerprint: *b"sixteen bytes ok",
            created_us: 1_790_000_000_123_456,
        };
        check_golden(
            ERROR_LOG_FRAME.kind(),
            ERROR_LOG_FRAME.versions(),
            &record.frame().unwrap(),
            |payload| {
                let frame =
                    Frame { kind: ERROR_LOG, key: [0; 16], position: Position(1), payload: payload.to_vec() };
                format!("{:#?}", Record::read(&frame).unwrap())
            },
        );
    }
}
