//! Trace chunks as journal frames: a header, then the packed bytes, which the database stores unchanged.

use chrono::{DateTime, Utc};
use loam_journal::Frame;
use loam_kernel::{ProjectId, Result, TenantId};
use loam_platform::stored_format::StoredFormat;
use serde::{Deserialize, Serialize};

use super::chunk::{Span, TraceChunk};
use super::pack::pack;

/// The kind of journal frames that hold a trace chunk.
pub(crate) const RECORDS: u8 = 48;

/// The payload of such a frame: the header, then the packed bytes. Version 1 has no version byte.
pub(crate) const TRACE_CHUNK_FRAME: StoredFormat =
    StoredFormat::new("trace_chunk_frame", 2).first_unversioned();

/// What is known of a chunk without unpacking it. The order of the fields is the format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChunkHeader {
    pub(crate) tenant: TenantId,
    pub(crate) project: ProjectId,
    pub(crate) trace_id: String,
    /// Number of spans.
    pub(crate) span_count: u32,
    /// Start of the first span, in nanoseconds since 1970.
    pub(crate) start_ns: i64,
    /// End of the last span, in nanoseconds since 1970.
    pub(crate) end_ns: i64,
}

impl ChunkHeader {
    pub(crate) fn of(chunk: &TraceChunk) -> Self {
        let (tenant, project, trace_id) = (chunk.tenant, chunk.project, chunk.trace_id.clone());
        Self { tenant, project, trace_id, span_count: 0, start_ns: 0, end_ns: 0 }.with_spans(&chunk.spans)
    }

    /// The header for other spans of the same trace.
    pub(crate) fn with_spans(self, spans: &[Span]) -> Self {
        let ends = spans.iter().map(|span| span.start_ns.saturating_add_unsigned(span.duration_ns));
        let start_ns = spans.iter().map(|span| span.start_ns).min().unwrap_or_default();
        let count = u32::try_from(spans.len()).unwrap_or(u32::MAX);
        Self { span_count: count, start_ns, end_ns: ends.max().unwrap_or(start_ns), ..self }
    }

    pub(crate) fn started_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(self.start_ns)
    }
}

/// The header and the packed bytes of a chunk.
pub(crate) fn pack_chunk(chunk: &TraceChunk) -> Result<(ChunkHeader, Vec<u8>)> {
    let server_spans = chunk.server_spans.iter().map(|server_span| (chunk.source, server_span));
    Ok((ChunkHeader::of(chunk), pack(server_spans, &chunk.spans)?))
}

/// Encodes a chunk as the payload of a frame.
pub(crate) fn encode_frame(chunk: &TraceChunk) -> Result<Vec<u8>> {
    let (header, packed) = pack_chunk(chunk)?;
    let mut payload = TRACE_CHUNK_FRAME.encode(&header)?;
    payload.extend_from_slice(&packed);
    Ok(payload)
}

/// The header and the packed bytes of a frame.
pub(crate) fn decode_frame(frame: &Frame) -> Result<(ChunkHeader, &[u8])> {
    // version 1 has the same fields
    let (_, body) = TRACE_CHUNK_FRAME.open(&frame.payload)?;
    TRACE_CHUNK_FRAME.decode_prefix(body)
}

#[cfg(test)]
mod tests {
    use loam_journal::Position;
    use loam_testkit::check_golden;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn all_versions_are_read() {
        let header = ChunkHeader {
            tenant: Uuid::from_u128(1).into(),
            project: Uuid::from_u128(2).into(),
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            span_count: 300,
            start_ns: 1_790_000_000_123_456_789,
            end_ns: 1_790_000_001_000_000_000,
        };
        let payload = [TRACE_CHUNK_FRAME.encode(&header).unwrap().as_slice(), b"packed"].concat();
        check_golden(TRACE_CHUNK_FRAME.kind(), TRACE_CHUNK_FRAME.versions(), &payload, |payload| {
            let payload = payload.to_vec();
            let frame = Frame { kind: RECORDS, key: [0; 16], position: Position(1), payload };
            let (header, packed) = decode_frame(&frame).unwrap();
            format!("{header:#?}\n{} bytes", packed.len())
        });
    }
}
