//! Converts OTLP spans to trace chunks.

mod check;
mod chunks;
mod context;
mod convert_span;
mod detail;
mod endpoint;
mod function;
mod measured;
mod operation;
mod server_span;
#[cfg(test)]
mod tests;

use super::document::document;
use super::project_ref::ProjectRef;
use super::rejections::Rejections;
use super::settings::OtlpSettings;
use super::wire::{Decoded, ExportTraceServiceRequest, MAX_STORED_REJECTED};
use crate::ingest::{RecordError, TimeLimits};
use crate::rejected_records::NewRejectedRecord;
use crate::trace::{Source, TraceChunk};

pub(super) use check::check;
use chunks::ChunkBuilder;
pub(super) use context::{SpanWithResource, span_contexts};

/// The result of converting a request.
pub(super) struct ConvertedSpans {
    pub(super) chunks: Vec<TraceChunk>,
    pub(super) rejections: Rejections,
    /// The first rejected spans, to be stored.
    pub(super) rejected: Vec<NewRejectedRecord>,
}

/// Converts spans to chunks: one per trace, or several of a large trace.
pub(super) fn convert(
    decoded: &Decoded<ExportTraceServiceRequest>,
    project_ref: ProjectRef,
    settings: &OtlpSettings,
    times: TimeLimits,
    keep_content: bool,
) -> ConvertedSpans {
    let mut rejections = Rejections::default();
    rejections.add_undecodable(&decoded.undecodable);
    let mut rejected = Vec::new();
    let mut reject = |context: &SpanWithResource<'_>, error: RecordError| {
        if rejected.len() < MAX_STORED_REJECTED {
            let document = document(context, keep_content);
            rejected.push(NewRejectedRecord { source: Source::Otlp, error, document });
        }
    };
    for (rest, error) in &decoded.undecodable.spans {
        span_contexts(rest).for_each(|context| reject(&context, error.clone()));
    }
    let mut builder = ChunkBuilder::new(project_ref);
    for context in span_contexts(&decoded.request) {
        match check(context.span, times) {
            Ok(()) => builder.add(&context, settings),
            Err(error) => {
                rejections.add(error.message);
                reject(&context, error.into());
            }
        }
    }
    ConvertedSpans { chunks: builder.finish(), rejections, rejected }
}
