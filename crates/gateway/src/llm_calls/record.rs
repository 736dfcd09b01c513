//! A call in the journal: its fields in a compact binary format, then the packed bodies.
//!
//! Intent and settlement have the same format. A settlement repeats the fields of the intent, so that either alone
//! gives a row, if the other is in another batch or in quarantine.

use chrono::{DateTime, Utc};
use loam_journal::Frame;
use loam_kernel::{ApiKeyId, Error, LlmCallId, NodeId, ProjectId, Result, TenantId, UserId};
use loam_platform::personal::{RecordSubjects, Subject};
use loam_platform::stored_format::{StoredAs, StoredFormat, StoredOption};
use loam_providers::{Quantity, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::call_identity::SpanLinks;
use super::entity::{CacheUse, CallState};
use super::refusal::Refusal;
use super::source::Source;
use super::stored::{StoredCacheUse, StoredCallState, StoredQuantity, StoredUsage};

/// The frame kind of an intent: a call starts.
pub(crate) const INTENT: u8 = 1;
/// The frame kind of a settlement: a call has ended.
pub(crate) const SETTLEMENT: u8 = 2;

/// The payload of both frames: the version, the lengths of the fields and of the request, the fields, and the two bodies.
/// Version 2 is without the end user and what follows it, version 3 without the tags and what follows them, version 4
/// without the quantity and what was omitted. The order of the fields below is the format.
pub(crate) const LLM_CALL_FRAME: StoredFormat = StoredFormat::new("llm_call_frame", 5).since(2);
/// The fields that earlier versions lack: none, empty or zero, each encoded as a zero.
const MISSING_FIELDS: [(u8, &[u8]); 3] = [(2, &[0; 9]), (3, &[0; 8]), (4, &[0; 2])];
/// The version and the two lengths.
const PREFIX_LEN: usize = 9;

/// All data of a call except its bodies.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    pub(crate) tenant: TenantId,
    pub(crate) id: LlmCallId,
    pub(crate) node: NodeId,
    #[serde(with = "StoredAs::<StoredCallState>")]
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
    #[serde(with = "StoredOption::<StoredUsage>")]
    pub(crate) usage: Option<Usage>,
    pub(crate) cost_nano_usd: Option<i64>,
    /// Nano-dollars reserved for it.
    pub(crate) reserved_nano_usd: Option<i64>,
    #[serde(with = "StoredOption::<StoredCacheUse>")]
    pub(crate) cache: Option<CacheUse>,
    pub(crate) latency_us: Option<i64>,
    pub(crate) first_token_us: Option<i64>,
    pub(crate) attempts: Vec<Attempt>,
    /// Microseconds since 1970.
    pub(crate) created_us: i64,
    /// Microseconds since 1970.
    pub(crate) updated_us: i64,
    /// The application's end user.
    pub(crate) end_user: Option<String>,
    pub(crate) tags: Vec<String>,
    /// The client's metadata, by name.
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) refusal: Option<Refusal>,
    /// The refused calls that this record stands for.
    pub(crate) refused: u32,
    /// Those of them that an earlier frame contains.
    pub(crate) refused_before: u32,
    /// The id of the response, as the client received it.
    pub(crate) response_id: Option<String>,
    /// What it is counted by besides tokens.
    #[serde(with = "StoredOption::<StoredQuantity>")]
    pub(crate) quantity: Option<Quantity>,
    /// What was left out of the request, by attempt; shorter than the attempts if the last ones left out nothing.
    pub(crate) omitted: Vec<Vec<String>>,
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

/// An attempt as it is shown.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptView<'a> {
    #[serde(flatten)]
    attempt: &'a Attempt,
    /// What was left out of the translated request, as the provider's kind or the model can't take it: each what, and
    /// why.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    omitted: &'a [String],
}

/// The content of a frame.
pub(crate) struct Entry {
    pub(crate) record: Record,
    pub(crate) source: Source,
    /// The spans that report it, of a reported call.
    pub(crate) links: Option<SpanLinks>,
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

    /// Notes what is left out of the request of the attempt that begins.
    pub(crate) fn note_omitted(&mut self, omitted: &[String]) {
        if !omitted.is_empty() {
            self.omitted.resize(self.attempts.len(), Vec::new());
            self.omitted.push(omitted.to_vec());
        }
    }

    /// The attempts as they are shown.
    pub(crate) fn attempt_views(&self) -> Vec<AttemptView<'_>> {
        let omitted = self.omitted.iter().map(Vec::as_slice).chain(std::iter::repeat(&[][..]));
        self.attempts.iter().zip(omitted).map(|(attempt, omitted)| AttemptView { attempt, omitted }).collect()
    }

    /// The tags as they are stored; none if there are none.
    pub(crate) fn tags_json(&self) -> Option<Value> {
        (!self.tags.is_empty()).then(|| self.tags.as_slice().into())
    }

    /// The metadata as it is stored; none if there is none.
    pub(crate) fn metadata_json(&self) -> Option<Value> {
        let fields = || self.metadata.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        (!self.metadata.is_empty()).then(|| Value::Object(fields().collect()))
    }

    /// Why it was refused, as it is stored.
    pub(crate) fn refusal_json(&self) -> Option<Value> {
        self.refusal.as_ref().map(Refusal::view)
    }

    /// The refused calls that it stands for; none if it wasn't refused.
    pub(crate) fn refused_calls(&self) -> Option<i64> {
        (self.state == CallState::Refused).then_some(self.refused.into())
    }

    /// The quantity as it is stored, in thousandths.
    pub(crate) fn quantity_milli(&self) -> Option<i64> {
        self.quantity.and_then(|quantity| i64::try_from(quantity.thousandths).ok())
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
    #[expect(clippy::disallowed_methods, reason = "the version precedes the fields")]
    pub(crate) fn header(&self, request: &[u8]) -> Result<Vec<u8>> {
        let mut header = Vec::with_capacity(384);
        header.extend_from_slice(&[LLM_CALL_FRAME.version(); PREFIX_LEN]);
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
        let (version, fields, entry) = Self::split(frame)?;
        let record = match MISSING_FIELDS.iter().find(|(lacking, _)| *lacking == version) {
            Some((_, missing)) => LLM_CALL_FRAME.decode(&[fields, missing].concat())?,
            None => LLM_CALL_FRAME.decode(fields)?,
        };
        Ok(Self { record, ..entry })
    }

    /// Reads only the bodies and the id of a frame, for an intent whose fields its settlement repeats.
    pub(crate) fn bodies(frame: &Frame) -> Result<Self> {
        Ok(Self::split(frame)?.2)
    }

    /// Splits a frame into the version, the encoded fields, and an entry with the bodies and the frame's id.
    fn split(frame: &Frame) -> Result<(u8, &[u8], Self)> {
        let damaged = || LLM_CALL_FRAME.damaged();
        let length = |bytes: &[u8]| {
            bytes.try_into().map(u32::from_le_bytes).map(|n| n as usize).map_err(|_| damaged())
        };
        let (version, rest) = LLM_CALL_FRAME.open(&frame.payload)?;
        let (lengths, rest) = rest.split_at_checked(PREFIX_LEN - 1).ok_or_else(damaged)?;
        let (fields, bodies) = rest.split_at_checked(length(&lengths[..4])?).ok_or_else(damaged)?;
        let (request, response) = bodies.split_at_checked(length(&lengths[4..])?).ok_or_else(damaged)?;
        let body = |bytes: &[u8]| (!bytes.is_empty()).then(|| bytes.to_vec());
        let record = Record { id: LlmCallId(Uuid::from_bytes(frame.key)), ..Record::default() };
        Ok((
            version,
            fields,
            Self {
                record,
                source: Source::Gateway,
                links: None,
                request: body(request),
                response: body(response),
            },
        ))
    }

    /// Removes personal data and content; keeps what the ledger needs.
    pub(crate) fn strip(&mut self) {
        (self.request, self.response) = (None, None);
        let record = &mut self.record;
        (record.user, record.end_user, record.session) = (None, None, None);
        (record.trace_id, record.span_id, record.response_id) = (None, None, None);
        record.error = None;
        record.request_id.clear();
        record.attempts.clear();
        record.tags.clear();
        record.metadata.clear();
    }

    /// Merges a later entry: its fields replace the earlier ones, but a body that it lacks stays.
    pub(crate) fn merge(&mut self, mut later: Self) {
        if later.record.state == CallState::Refused {
            // together they contain what each of them adds
            later.record.refused_before = self.record.refused_before;
        }
        // an intent adds nothing to a settled call
        if later.record.state != CallState::Open {
            self.record = later.record;
        }
        self.request = later.request.or(self.request.take());
        self.response = later.response.or(self.response.take());
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
