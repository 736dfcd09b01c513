//! Taking a batch in: cut, read, kept. What is wrong with one record is no matter of the others.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use loam_http::surface::read_at_most;
use loam_kernel::{Error, Kind, RejectedRecordId, Result, run_blocking_limited};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::batch::{Batch, Format};
use super::body::{Packed, too_large};
use super::fault::Fault;
use super::part::Context;
use super::sender::Sender;
use super::settings::IngestSettings;
use crate::rejected_records::NewRejected;
use crate::service::Insight;
use crate::trace::{Part, Source};

/// Bodies of fewer bytes are read where they arrive; larger ones would keep other requests waiting.
const SMALL: usize = 32 * 1024;

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// How many records were taken: they are durable, and are seen within a second. Those sent before count once.
    pub(crate) accepted: usize,
    /// Those that were not.
    pub(crate) rejected: Vec<Rejection>,
}

/// A record that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rejection {
    /// Its place in the batch, from 0.
    pub(crate) index: usize,
    /// Its id, if it has one.
    pub(crate) id: Option<String>,
    /// For programs: stable.
    pub(crate) code: &'static str,
    /// For people: what to do.
    pub(crate) message: String,
    /// The field at fault, as a path within the record.
    pub(crate) param: Option<String>,
    /// Under which it can be read, mended and replayed, if it could be kept.
    pub(crate) rejected_record_id: Option<RejectedRecordId>,
}

/// A batch that has been read.
struct Read {
    parts: Vec<Part>,
    refused: Vec<Refused>,
}

struct Refused {
    index: usize,
    id: Option<String>,
    fault: Fault,
    document: Option<Value>,
}

impl Insight {
    /// The body of a request with telemetry, unpacked, within the limits of its sender.
    ///
    /// # Errors
    /// 413, 415, 429.
    pub(crate) async fn telemetry(&self, sender: &Sender, headers: &HeaderMap, body: Body) -> Result<Bytes> {
        let limits = self.0.ingest.of(sender.tenant);
        let packed = Packed::of(headers)?;
        self.count(sender)?;
        let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if said.is_some_and(|said: usize| said > limits.max_body_bytes) {
            return Err(too_large(limits.max_body_bytes));
        }
        let body = read_at_most(body, limits.max_body_bytes).await?;
        let max = limits.max_unpacked_bytes;
        let body = if packed == Packed::Not {
            packed.open(body, max)?
        } else {
            run_blocking_limited(sender.tenant, move || packed.open(body, max)).await??
        };
        self.0.meter.bytes(sender.project.id, self.0.clock.now(), body.len());
        Ok(body)
    }

    /// Takes a batch of records.
    ///
    /// # Errors
    /// 400 when it is no batch, or none of its records can be taken; 503 when what was taken can't be kept.
    pub(super) async fn take(&self, sender: &Sender, headers: &HeaderMap, body: Bytes) -> Result<Accepted> {
        let format = format(headers)?;
        let limits = self.0.ingest.of(sender.tenant);
        let (whose, now) = (sender.clone(), self.0.clock.now());
        let is_small = body.len() < SMALL;
        let read = move || read(&whose, format, &body, &limits, now);
        let Read { parts, refused } =
            if is_small { read()? } else { run_blocking_limited(sender.tenant, read).await?? };
        let (accepted, calls) = (parts.len(), parts.iter().map(|part| part.calls.len() as u64).sum());
        self.accept(parts).await?;
        metrics::counter!("loam_telemetry_records_total", "source" => "records").increment(accepted as u64);
        metrics::counter!("loam_telemetry_calls_total", "source" => "records").increment(calls);
        let rejected = self.reject_all(sender, refused).await;
        match rejected.first() {
            Some(first) if accepted == 0 => Err(none_taken(&rejected, first)),
            _ => Ok(Accepted { accepted, rejected }),
        }
    }

    async fn reject_all(&self, sender: &Sender, refused: Vec<Refused>) -> Vec<Rejection> {
        if refused.is_empty() {
            return Vec::new();
        }
        metrics::counter!("loam_telemetry_rejected_total", "source" => "records")
            .increment(refused.len() as u64);
        let kept = refused.iter().map(|refused| NewRejected {
            source: Source::Records,
            fault: refused.fault.clone(),
            document: refused.document.clone(),
        });
        let kept = self.keep_rejected(sender, kept.collect()).await;
        let ids = kept.into_iter().chain(std::iter::repeat(None));
        refused
            .into_iter()
            .zip(ids)
            .map(|(refused, kept)| Rejection {
                index: refused.index,
                id: refused.id,
                code: refused.fault.code,
                message: refused.fault.message,
                param: refused.fault.param,
                rejected_record_id: kept,
            })
            .collect()
    }
}

fn read(
    sender: &Sender,
    format: Format,
    body: &[u8],
    limits: &IngestSettings,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Read> {
    let batch = Batch::cut(format, body)?;
    if batch.records.len() > limits.max_records {
        let message = format!("the batch has more than {} records: send fewer at once", limits.max_records);
        return Err(Error::new(Kind::TooLarge, "too_many_records", message).with_param("records"));
    }
    let context = Context {
        tenant: sender.tenant,
        project: sender.project.id,
        now,
        max_calls: limits.max_calls,
        defaults: &batch.defaults,
    };
    let (mut parts, mut refused) = (Vec::with_capacity(batch.records.len()), Vec::new());
    for (index, bytes) in batch.records.iter().enumerate() {
        match Batch::read(format, bytes).and_then(|record| context.part(record)) {
            Ok(part) => parts.push(part),
            Err(fault) => {
                let document = batch.document(bytes);
                let name = |field: &str| {
                    document.as_ref()?.get(field)?.as_str().map(|id| id.chars().take(64).collect())
                };
                refused.push(Refused { index, id: name("id").or_else(|| name("trace_id")), fault, document });
            }
        }
    }
    Ok(Read { parts, refused })
}

impl Insight {
    /// Reads one document as a record of a sender's.
    pub(crate) fn read_document(&self, sender: &Sender, document: &Value) -> Result<Result<Part, Fault>> {
        let limits = self.0.ingest.of(sender.tenant);
        let bytes = serde_json::to_vec(document).map_err(Error::internal)?;
        let context = Context {
            tenant: sender.tenant,
            project: sender.project.id,
            now: self.0.clock.now(),
            max_calls: limits.max_calls,
            defaults: &super::batch::Defaults::default(),
        };
        Ok(Batch::read(Format::Json, &bytes).and_then(|record| context.part(record)))
    }
}

fn format(headers: &HeaderMap) -> Result<Format> {
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

fn none_taken(rejected: &[Rejection], first: &Rejection) -> Error {
    let place = match &first.param {
        Some(param) => format!("records[{}].{param}", first.index),
        None => format!("records[{}]", first.index),
    };
    let message = match rejected.len() {
        1 => first.message.clone(),
        count => format!("none of the {count} records could be taken; of the first: {}", first.message),
    };
    Error::new(Kind::Invalid, first.code, message).with_param(place)
}
