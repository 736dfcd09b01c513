//! OTLP over HTTP: traces and metrics.
//!
//! Requests are decoded into structs of the relevant fields and converted to Loam's own types: trace chunks, model
//! calls, metric values. Attributes are looked up by current and former semantic conventions.

mod attributes;
mod body;
mod document;
mod genai;
mod metrics;
pub(crate) mod project_ref;
mod rejections;
pub(crate) mod routes;
mod settings;
mod spans;
mod status;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashSet;

use loam_kernel::{Result, run_blocking_limited};

pub(crate) use document::ReplayableSpan;
pub(crate) use genai::{CallSink, REPORTED_CALLS_FRAME};
pub(crate) use project_ref::ProjectRef;
pub(crate) use rejections::Rejections;
pub use settings::{OTLP, OtlpSettings};
pub use status::error_shape;
use wire::{MetricsRequest, TracesRequest};

use crate::ingest::IngestSource;
use crate::performance_metrics::TOO_MANY_SERIES;
use crate::service::Insight;

/// Decodes and converts a request without storing it; returns whether it was valid.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8], json: bool, metrics: bool, now: chrono::DateTime<chrono::Utc>) -> bool {
    use loam_kernel::{ProjectId, TenantId};

    let encoding = if json { body::Encoding::Json } else { body::Encoding::Protobuf };
    let settings = OtlpSettings { max_items: 1000, ..OtlpSettings::default() };
    let project_ref =
        ProjectRef { tenant: TenantId(uuid::Uuid::nil()), project: ProjectId(uuid::Uuid::nil()) };
    if metrics {
        let age_limit = metrics::AgeLimit { now, max_age_days: settings.max_age_days };
        body::decode::<MetricsRequest>(bytes, encoding, settings.max_items)
            .map(|request| metrics::convert(&request, project_ref, age_limit))
            .is_ok()
    } else {
        let Ok(request) = body::decode::<TracesRequest>(bytes, encoding, settings.max_items) else {
            return false;
        };
        let spans = spans::span_contexts(&request)
            .filter(|context| spans::check(context.span, &settings, now).is_ok());
        _ = genai::extract(spans, project_ref, 4096);
        _ = spans::convert(&request, project_ref, &settings, now, true);
        true
    }
}

impl Insight {
    /// Ingests spans. Returns the rejections.
    async fn ingest_spans(&self, request: TracesRequest, ingest_source: &IngestSource) -> Result<Rejections> {
        let (project_ref, now) = (ProjectRef::from(ingest_source), self.0.clock.now());
        let (settings, max_body) =
            (self.0.otlp.of(project_ref.tenant), self.0.gateway.max_recorded_body_bytes(project_ref.tenant));
        let convert = move || {
            let converted = spans::convert(&request, project_ref, &settings, now, max_body > 0);
            let spans = spans::span_contexts(&request)
                .filter(|context| spans::check(context.span, &settings, now).is_ok());
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
        request: MetricsRequest,
        project_ref: ProjectRef,
    ) -> Result<Rejections> {
        let max_age_days = self.0.metrics.with(project_ref.tenant, |settings| settings.max_age_days);
        let age_limit = metrics::AgeLimit { now: self.0.clock.now(), max_age_days };
        let metrics::Values { points, point_indexes, mut rejections, .. } =
            metrics::convert(&request, project_ref, age_limit);
        let too_many = self.journal_points(project_ref, points).await?;
        // a data point can have several values
        let too_many: HashSet<usize> = too_many.into_iter().map(|index| point_indexes[index]).collect();
        too_many.iter().for_each(|_| rejections.add(TOO_MANY_SERIES));
        Ok(rejections)
    }
}
