//! Ingest of a batch: split, decode, journal. Invalid records don't affect the others.

use http::{HeaderMap, header};
use loam_kernel::{Error, Kind, RejectedRecordId, Result, truncate_chars};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::batch::{Batch, Format};
use super::chunk::Context;
use super::limits::TimeLimits;
use super::record_error::RecordError;
use super::settings::IngestSettings;
use super::source::IngestSource;
use crate::ingest::Ingest;
use crate::rejected_records::NewRejectedRecord;
use crate::trace::{Source, TraceChunk};

/// The result of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// Number of accepted records. They are durable, and visible within a second. Duplicates are included, but counted
    /// once.
    pub(crate) accepted: usize,
    /// The rejected records.
    pub(crate) rejected: Vec<Rejection>,
}

/// A rejected record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rejection {
    /// Index in the batch, from 0.
    pub(crate) index: usize,
    /// ID of the record, if it has one.
    pub(crate) id: Option<String>,
    /// Stable error code, for programs.
    pub(crate) code: &'static str,
    /// Error message, for people.
    pub(crate) message: String,
    /// The invalid field, as a path within the record.
    pub(crate) param: Option<String>,
    /// ID of the stored rejected record, which can be read, corrected and replayed; null if it could not be stored.
    pub(crate) rejected_record_id: Option<RejectedRecordId>,
}

/// A decoded batch.
pub(super) struct DecodedBatch {
    chunks: Vec<TraceChunk>,
    rejected: Vec<RejectedInput>,
}

struct RejectedInput {
    index: usize,
    id: Option<String>,
    error: RecordError,
    document: Option<Value>,
}

impl Ingest {
    /// Ingests the records of a batch.
    ///
    /// # Errors
    /// 400 if no record is valid; 503 if the journal doesn't accept them.
    pub(super) async fn ingest_batch(
        &self,
        ingest_source: &IngestSource,
        DecodedBatch { chunks, rejected }: DecodedBatch,
    ) -> Result<Accepted> {
        let (accepted, spans) = (chunks.len(), chunks.iter().map(|chunk| chunk.spans.len() as u64).sum());
        self.journal_chunks(chunks).await?;
        metrics::counter!("loam_telemetry_records_total", "source" => "records").increment(accepted as u64);
        metrics::counter!("loam_telemetry_calls_total", "source" => "records").increment(spans);
        let rejected = self.reject_all(ingest_source, rejected).await;
        match rejected.first() {
            Some(first) if accepted == 0 => Err(all_rejected(&rejected, first)),
            _ => Ok(Accepted { accepted, rejected }),
        }
    }

    async fn reject_all(&self, ingest_source: &IngestSource, rejected: Vec<RejectedInput>) -> Vec<Rejection> {
        if rejected.is_empty() {
            return Vec::new();
        }
        metrics::counter!("loam_telemetry_rejected_total", "source" => "records")
            .increment(rejected.len() as u64);
        let stored = rejected.iter().map(|rejected| NewRejectedRecord {
            source: Source::Records,
            error: rejected.error.clone(),
            document: rejected.document.clone(),
        });
        let stored = self.store_rejected(ingest_source, stored.collect()).await;
        let ids = stored.into_iter().chain(std::iter::repeat(None));
        rejected
            .into_iter()
            .zip(ids)
            .map(|(rejected, stored_id)| Rejection {
                index: rejected.index,
                id: rejected.id,
                code: rejected.error.code,
                message: rejected.error.message,
                param: rejected.error.param,
                rejected_record_id: stored_id,
            })
            .collect()
    }
}

/// Decodes a batch.
///
/// # Errors
/// 400 if it is not a batch.
pub(super) fn decode(
    ingest_source: &IngestSource,
    format: Format,
    body: &[u8],
    limits: &IngestSettings,
    times: TimeLimits,
) -> Result<DecodedBatch> {
    let batch = Batch::split(format, body)?;
    if batch.records.len() > limits.max_records {
        let message =
            format!("the batch has more than {} records: send fewer per request", limits.max_records);
        return Err(Error::new(Kind::TooLarge, "too_many_records", message).with_param("records"));
    }
    let context = Context {
        tenant: ingest_source.tenant,
        project: ingest_source.project.id,
        times,
        max_calls: limits.max_calls,
        defaults: &batch.defaults,
    };
    let (mut chunks, mut rejected) = (Vec::with_capacity(batch.records.len()), Vec::new());
    for (index, bytes) in batch.records.iter().enumerate() {
        match Batch::parse_item(format, bytes).and_then(|item| context.chunk_of(item)) {
            Ok(chunk) => chunks.push(chunk),
            Err(error) => {
                let document = batch.document(bytes);
                let name = |field: &str| {
                    document.as_ref()?.get(field)?.as_str().map(|id| truncate_chars(id, 64).to_owned())
                };
                rejected.push(RejectedInput {
                    index,
                    id: name("id").or_else(|| name("trace_id")),
                    error,
                    document,
                });
            }
        }
    }
    // of a call that is also in its record, the own document is stored: it has more details
    chunks.sort_by_key(|chunk| !chunk.server_spans.is_empty());
    Ok(DecodedBatch { chunks, rejected })
}

impl Ingest {
    /// Decodes one document as a record.
    pub(crate) fn read_document(
        &self,
        ingest_source: &IngestSource,
        document: &Value,
    ) -> Result<Result<TraceChunk, RecordError>> {
        let limits = self.0.settings.of(ingest_source.tenant);
        let bytes = serde_json::to_vec(document).map_err(Error::internal)?;
        let context = Context {
            tenant: ingest_source.tenant,
            project: ingest_source.project.id,
            times: self.time_limits(ingest_source.tenant),
            max_calls: limits.max_calls,
            defaults: &super::batch::Defaults::default(),
        };
        Ok(Batch::parse_item(Format::Json, &bytes).and_then(|item| context.chunk_of(item)))
    }
}

/// Reads the header `Content-Type`.
///
/// # Errors
/// 415 for other types.
pub(super) fn format(headers: &HeaderMap) -> Result<Format> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Format::Json) };
    let value = value.to_str().unwrap_or_default();
    match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "application/json" => Ok(Format::Json),
        "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => {
            Ok(Format::MessagePack)
        }
        _ => {
            let message = "send application/json or application/msgpack";
            Err(Error::new(Kind::Invalid, "unsupported_media_type", message)
                .with_status(415)
                .with_param("Content-Type"))
        }
    }
}

fn all_rejected(rejected: &[Rejection], first: &Rejection) -> Error {
    let param = match &first.param {
        Some(param) => format!("records[{}].{param}", first.index),
        None => format!("records[{}]", first.index),
    };
    let message = match rejected.len() {
        1 => first.message.clone(),
        count => format!("all {count} records were rejected; the first: {}", first.message),
    };
    Error::new(Kind::Invalid, first.code, message).with_param(param)
}
