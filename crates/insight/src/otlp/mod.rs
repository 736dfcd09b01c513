//! OTLP over HTTP: traces, metrics and logs.
//!
//! Requests are decoded into structs of the relevant fields and converted to Loam's own types: trace chunks, model
//! calls, metric values, errors. Attributes are looked up by current and former semantic conventions.

mod attributes;
mod body;
mod document;
mod genai;
mod logs;
mod metrics;
pub(crate) mod project_ref;
mod rejections;
pub(crate) mod routes;
pub(crate) mod settings;
mod spans;
mod status;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashSet;

use loam_kernel::{Result, run_blocking_limited};

pub(crate) use document::ReplayableSpan;
pub(crate) use genai::{CallSink, REPORTED_CALLS_FRAME};
pub(crate) use logs::{REPORTED_ERRORS_FRAME, ReportedErrorSink};
pub(crate) use project_ref::ProjectRef;
pub(crate) use rejections::Rejections;
pub use settings::{OTLP, OtlpSettings};
pub use status::error_shape;
use wire::{Decoded, ExportMetricsServiceRequest, ExportTraceServiceRequest};

use crate::ingest::Ingest;
use crate::ingest::IngestSource;
use crate::performance_metrics::TOO_MANY_SERIES;

/// Decodes and converts a request without storing it; returns whether it was valid.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8], json: bool, metrics: bool, now: chrono::DateTime<chrono::Utc>) -> bool {
    use loam_kernel::{ProjectId, TenantId};

    use crate::ingest::TimeLimits;

    let encoding = if json { body::Encoding::Json } else { body::Encoding::Protobuf };
    let settings = OtlpSettings { max_items: 1000, ..OtlpSettings::default() };
    let times = TimeLimits { now, max_age_days: 28 };
    let project_ref =
        ProjectRef { tenant: TenantId(uuid::Uuid::nil()), project: ProjectId(uuid::Uuid::nil()) };
    if metrics {
        body::decode::<ExportMetricsServiceRequest>(bytes, encoding, settings.max_items)
            .map(|decoded| metrics::convert(&decoded.request, project_ref, times))
            .is_ok()
    } else {
        let Ok(decoded) = body::decode::<ExportTraceServiceRequest>(bytes, encoding, settings.max_items)
        else {
            return false;
        };
        let spans = spans::span_contexts(&decoded.request)
            .filter(|context| spans::check(context.span, times).is_ok());
        _ = genai::extract(spans, project_ref, 4096);
        _ = spans::convert(&decoded, project_ref, &settings, times, true);
        true
    }
}

impl Ingest {
    /// Ingests spans. Returns the rejections.
    async fn ingest_spans(
        &self,
        decoded: Decoded<ExportTraceServiceRequest>,
        ingest_source: &IngestSource,
    ) -> Result<Rejections> {
        let project_ref = ProjectRef::from(ingest_source);
        let times = self.time_limits(project_ref.tenant);
        let (settings, max_body) = (
            self.0.otlp.of(project_ref.tenant),
            self.0.gateway.proxy().max_recorded_body_bytes(project_ref.tenant),
        );
        let convert = move || {
            let converted = spans::convert(&decoded, project_ref, &settings, times, max_body > 0);
            let spans = spans::span_contexts(&decoded.request)
                .filter(|context| spans::check(context.span, times).is_ok());
            (converted, genai::extract(spans, project_ref, max_body))
        };
        let (converted, calls) = run_blocking_limited(ingest_source.tenant, convert).await?;
        // before the chunks: a durable position implies that all earlier frames are durable
        self.append_calls(project_ref, calls).await?;
        self.journal_chunks(converted.chunks).await?;
        if !converted.rejected.is_empty() {
            self.store_rejected(ingest_source, converted.rejected).await;
        }
        Ok(converted.rejections)
    }

    /// Ingests metrics. Returns the rejections.
    async fn ingest_otlp_metrics(
        &self,
        Decoded { request, undecodable }: Decoded<ExportMetricsServiceRequest>,
        project_ref: ProjectRef,
    ) -> Result<Rejections> {
        let times = self.time_limits(project_ref.tenant);
        let metrics::Values { points, point_indexes, mut rejections, .. } =
            metrics::convert(&request, project_ref, times);
        rejections.add_undecodable(&undecodable);
        let too_many = self.journal_points(project_ref, points).await?;
        // a data point can have several values
        let too_many: HashSet<usize> = too_many.into_iter().map(|index| point_indexes[index]).collect();
        too_many.iter().for_each(|_| rejections.add(TOO_MANY_SERIES));
        Ok(rejections)
    }
}
