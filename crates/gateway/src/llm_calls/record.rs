//! A call in the journal: its fields in a compact binary format, then the packed bodies.
//!
//! Intent and settlement have the same format. A settlement repeats the fields of the intent, so that either alone
//! gives a row, if the other is in another batch or in quarantine.

use chrono::{DateTime, Utc};
use loam_journal::Frame;
use loam_kernel::{ApiKeyId, Error, LlmCallId, NodeId, ProjectId, Result, TenantId, UserId};
use loam_platform::personal::{RecordSubjects, Subject};
use loam_providers::Usage;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::entity::{CacheUse, CallState};
use super::source::Source;

/// The frame kind of an intent: a call starts.
pub(crate) const INTENT: u8 = 1;
/// The frame kind of a settlement: a call has ended.
pub(crate) const SETTLEMENT: u8 = 2;

/// The format version of the fields below. Fields are identified by their order, so any change to them, or to their
/// types, needs a new version, and a reader for the old one for as long as a journal may still hold it.
const FORMAT_VERSION: u8 = 3;
/// The previous version: without the last field.
const FORMAT_WITHOUT_END_USER: u8 = 2;
/// The version and the two lengths.
const PREFIX_LEN: usize = 9;

/// All data of a call except its bodies.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    pub(crate) tenant: TenantId,
    pub(crate) id: LlmCallId,
    pub(crate) node: NodeId,
    pub(crate) state: CallState,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) endpoint: String,
    /// The alias that the client called.
    pub(crate) route: Option<String>,
    pub(crate) api_key: Option<ApiKeyId>,
    pub(crate) user: Option<UserId>,
    pub(crate) project: Option<ProjectId>,
    pub(crate) session: Option<String>,
    pub(crate) request_id: String,
    pub(crate) trace_id: Option<String>,
    pub(crate) span_id: Option<String>,
    pub(crate) streamed: bool,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) usage: Option<Usage>,
    pub(crate) cost_nano_usd: Option<i64>,
    /// Nano-dollars reserved for it.
    pub(crate) reserved_nano_usd: Option<i64>,
    pub(crate) cache: Option<CacheUse>,
    pub(crate) latency_us: Option<i64>,
    pub(crate) first_token_us: Option<i64>,
    pub(crate) attempts: Vec<Attempt>,
    /// Microseconds since 1970.
    pub(crate) created_us: i64,
    /// Microseconds since 1970.
    pub(crate) updated_us: i64,
    /// The application's end user. The last field, as the previous version ends before it.
    pub(crate) end_user: Option<String>,
}

/// One attempt at one target.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Attempt {
    /// `provider/model`.
    pub(crate) target: String,
    /// HTTP status; none if there was no response.
    pub(crate) status: Option<u16>,
    /// Milliseconds to the head of the response, or to the failure.
    pub(crate) duration_ms: f64,
    /// The error message.
    pub(crate) error: Option<String>,
}

/// The content of a frame.
pub(crate) struct Entry {
    pub(crate) record: Record,
    pub(crate) source: Source,
    pub(crate) request: Option<Vec<u8>>,
    pub(crate) response: Option<Vec<u8>>,
}

impl Record {
    pub(crate) fn created_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.created_us).unwrap_or_default()
    }

    pub(crate) fn updated_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.updated_us).unwrap_or_default()
    }

    /// The people whose data it holds, to check whether they have been erased.
    pub(crate) fn named(&self) -> RecordSubjects<'_> {
        let user = self.user.map(Subject::User);
        let end_user = self.end_user.as_deref().map(Subject::EndUser);
        let session = self.session.as_deref().map(Subject::Session);
        let subjects = user.into_iter().chain(end_user).chain(session).collect();
        RecordSubjects { tenant: self.tenant, subjects, at: self.created_at() }
    }

    /// Encodes the lengths and the fields, which precede the bodies.
    pub(crate) fn header(&self, request: &[u8]) -> Result<Vec<u8>> {
        let mut header = Vec::with_capacity(384);
        header.extend_from_slice(&[FORMAT_VERSION; PREFIX_LEN]);
        let mut header = postcard::to_extend(self, header).map_err(Error::internal)?;
        let fields = u32::try_from(header.len() - PREFIX_LEN).map_err(Error::internal)?;
        let request = u32::try_from(request.len()).map_err(Error::internal)?;
        header[1..5].copy_from_slice(&fields.to_le_bytes());
        header[5..PREFIX_LEN].copy_from_slice(&request.to_le_bytes());
        Ok(header)
    }
}

impl Entry {
    /// Reads a frame.
    pub(crate) fn read(frame: &Frame) -> Result<Self> {
        let (fields, entry) = Self::split(frame)?;
        let record = match frame.payload.first() {
            // the missing last field is none
            Some(&FORMAT_WITHOUT_END_USER) => postcard::from_bytes(&[fields, &[0]].concat()),
            _ => postcard::from_bytes(fields),
        };
        Ok(Self { record: record.map_err(Error::internal)?, ..entry })
    }

    /// Reads only the bodies and the id of a frame, for an intent whose fields its settlement repeats.
    pub(crate) fn bodies(frame: &Frame) -> Result<Self> {
        Ok(Self::split(frame)?.1)
    }

    /// Splits a frame into the encoded fields, and an entry with the bodies and the frame's id.
    fn split(frame: &Frame) -> Result<(&[u8], Self)> {
        let damaged = || Error::internal("a call's frame is damaged");
        let length = |bytes: &[u8]| {
            bytes.try_into().map(u32::from_le_bytes).map(|n| n as usize).map_err(|_| damaged())
        };
        let (lengths, rest) = frame.payload.split_at_checked(PREFIX_LEN).ok_or_else(damaged)?;
        if !matches!(lengths[0], FORMAT_VERSION | FORMAT_WITHOUT_END_USER) {
            return Err(Error::internal(
                "a call's frame has a format version that this server doesn't support",
            ));
        }
        let (fields, bodies) = rest.split_at_checked(length(&lengths[1..5])?).ok_or_else(damaged)?;
        let (request, response) = bodies.split_at_checked(length(&lengths[5..])?).ok_or_else(damaged)?;
        let body = |bytes: &[u8]| (!bytes.is_empty()).then(|| bytes.to_vec());
        let record = Record { id: LlmCallId(Uuid::from_bytes(frame.key)), ..Record::default() };
        Ok((
            fields,
            Self { record, source: Source::Gateway, request: body(request), response: body(response) },
        ))
    }

    /// Removes personal data and content; keeps what the ledger needs.
    pub(crate) fn strip(&mut self) {
        (self.request, self.response) = (None, None);
        let record = &mut self.record;
        (record.user, record.end_user, record.session) = (None, None, None);
        (record.trace_id, record.span_id, record.error) = (None, None, None);
        record.request_id.clear();
        record.attempts.clear();
    }

    /// Merges a later entry: its fields replace the earlier ones, but a body that it lacks stays.
    pub(crate) fn merge(&mut self, later: Self) {
        // an intent adds nothing to a settled call
        if later.record.state != CallState::Open {
            self.record = later.record;
        }
        self.request = later.request.or(self.request.take());
        self.response = later.response.or(self.response.take());
    }
}

#[cfg(test)]
mod tests {
    use loam_journal::Position;
    use loam_kernel::hex;

    use super::*;

    /// Bytes that a journal may hold, by version: each must be readable for as long as its version is supported.
    const GOLDEN: [(u8, &str); 2] = [
        (
            2,
            "02820000000300000010000000000000000000000000000000011000000000000000000000000000\
             000007100000000000000000000000000000000301066f70656e6169016d112f636861742f636f6d\
             706c6574696f6e73000001100000000000000000000000000000000400010474616c6b0172000000\
             01c80100010102030000010a0000000000101261736b746f6c64",
        ),
        (
            3,
            "03890000000300000010000000000000000000000000000000011000000000000000000000000000\
             000007100000000000000000000000000000000301066f70656e6169016d112f636861742f636f6d\
             706c6574696f6e73000001100000000000000000000000000000000400010474616c6b0172000000\
             01c80100010102030000010a000000000010120105626f622d3161736b746f6c64",
        ),
    ];

    #[test]
    fn supported_format_versions_are_read() {
        for (version, golden) in GOLDEN {
            let payload: Vec<u8> = (0..golden.len() / 2)
                .map(|at| u8::from_str_radix(&golden[at * 2..at * 2 + 2], 16).expect("hexadecimal"))
                .collect();
            assert_eq!(payload[0], version);
            let frame = Frame { kind: SETTLEMENT, key: [7; 16], position: Position(1), payload };
            let Entry { record, request, response, .. } = Entry::read(&frame).expect("read");
            let end_user = (version > FORMAT_WITHOUT_END_USER).then_some("bob-1");
            assert_eq!((record.provider.as_str(), record.session.as_deref()), ("openai", Some("talk")));
            assert_eq!(
                (record.status, record.updated_us, record.end_user.as_deref()),
                (Some(200), 9, end_user)
            );
            assert_eq!((request.as_deref(), response.as_deref()), (Some(&b"ask"[..]), Some(&b"told"[..])));
            if version == FORMAT_VERSION {
                let written = [&record.header(b"ask").expect("written")[..], b"asktold"].concat();
                assert_eq!(hex(&written), golden, "a change of the format needs a new version");
            }
        }
    }

    #[test]
    fn a_record_is_read_back_unchanged() {
        let usage = Usage {
            prompt_tokens: 1,
            completion_tokens: 2,
            total_tokens: 3,
            cached_tokens: 1,
            cache_write_tokens: 0,
        };
        let attempt = Attempt { target: "p/m".to_owned(), status: Some(200), duration_ms: 1.5, error: None };
        let record = Record {
            state: CallState::Settled,
            provider: "p".to_owned(),
            trace_id: Some("t".to_owned()),
            usage: Some(usage),
            cost_nano_usd: Some(-1),
            attempts: vec![attempt],
            created_us: 7,
            end_user: Some("bob-1".to_owned()),
            ..Record::default()
        };
        let header = record.header(b"request").expect("written");
        let payload = [&header[..], b"request", b"response"].concat();
        let mut frame = Frame { kind: SETTLEMENT, key: [0; 16], position: Position(1), payload };
        let read = Entry::read(&frame).expect("read");
        assert_eq!(format!("{:?}", read.record), format!("{record:?}"));
        assert_eq!(
            (read.request.as_deref(), read.response.as_deref()),
            (Some(&b"request"[..]), Some(&b"response"[..]))
        );
        frame.payload[0] = 200;
        assert!(Entry::read(&frame).is_err(), "an unknown version is rejected");
        frame.payload.truncate(5);
        assert!(Entry::read(&frame).is_err());
    }
}
