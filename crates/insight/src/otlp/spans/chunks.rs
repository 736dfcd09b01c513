//! Groups spans into trace chunks.

use std::collections::HashMap;

use loam_kernel::hex;

use super::context::SpanWithResource;
use super::convert_span::convert_span;
use super::function::Functions;
use super::server_span;
use crate::ingest::IngestSource;
use crate::otlp::project_ref::ProjectRef;
use crate::otlp::settings::OtlpSettings;
use crate::trace::{Source, Span, TraceChunk};

/// Maximum size of a chunk in bytes, above which a trace continues in another chunk, so that chunks fit into the
/// journal.
const MAX_CHUNK_BYTES: usize = 2 << 20;
/// Size of a span without its strings, in bytes.
const SPAN_BYTES: usize = 128;

impl From<&IngestSource> for ProjectRef {
    fn from(ingest_source: &IngestSource) -> Self {
        Self { tenant: ingest_source.tenant, project: ingest_source.project.id }
    }
}

/// Builds the chunks of a request.
pub(super) struct ChunkBuilder {
    project_ref: ProjectRef,
    full: Vec<TraceChunk>,
    open: HashMap<Vec<u8>, (TraceChunk, usize)>,
    functions: Functions,
}

impl ChunkBuilder {
    pub(super) fn new(project_ref: ProjectRef) -> Self {
        Self { project_ref, full: Vec::new(), open: HashMap::new(), functions: Functions::default() }
    }

    pub(super) fn add(&mut self, context: &SpanWithResource<'_>, settings: &OtlpSettings) {
        let span = convert_span(context, &mut self.functions, settings);
        let project_ref = self.project_ref;
        let (chunk, size) = self.open.entry(context.span.trace_id.clone()).or_insert_with(|| {
            let chunk = TraceChunk {
                tenant: project_ref.tenant,
                project: project_ref.project,
                trace_id: hex(&context.span.trace_id),
                source: Source::Otlp,
                server_spans: Vec::new(),
                spans: Vec::new(),
            };
            (chunk, 0)
        });
        if context.is_server_span() {
            chunk.server_spans.push(server_span::server_span(context));
        }
        *size += weight(&span);
        chunk.spans.push(span);
        if *size >= MAX_CHUNK_BYTES
            && let Some((chunk, _)) = self.open.remove(&context.span.trace_id)
        {
            self.full.push(chunk);
        }
    }

    pub(super) fn finish(mut self) -> Vec<TraceChunk> {
        let mut rest: Vec<TraceChunk> = self.open.into_values().map(|(chunk, _)| chunk).collect();
        // in a deterministic order, so that a resent request makes the same chunks
        rest.sort_by(|a, b| a.trace_id.cmp(&b.trace_id));
        self.full.append(&mut rest);
        self.full
    }
}

fn weight(span: &Span) -> usize {
    let detail = span.detail.as_ref().map_or(0, |detail| {
        let texts = [&detail.system, &detail.operation, &detail.statement, &detail.target];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        texts + detail.attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    });
    SPAN_BYTES + detail + span.exception.as_ref().map_or(0, String::len)
}
