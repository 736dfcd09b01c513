//! OpenTelemetry's protocol over HTTP: spans and values of metrics.
//!
//! Messages are read into structs of the fields that matter, and told on in Loam's own terms: parts of traces, model
//! calls, values. Names of attributes are looked up by the conventions of now and of before.

mod attributes;
mod body;
mod document;
mod genai;
mod metrics;
mod refused;
pub(crate) mod routes;
mod settings;
mod spans;
mod status;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashSet;

use loam_kernel::{Result, run_blocking_limited};

pub(crate) use document::MendedSpan;
pub(crate) use genai::CallSink;
pub(crate) use refused::Refused;
pub use settings::{OTLP, OtlpSettings};
pub(crate) use spans::Owner;
pub use status::error_shape;
use wire::{MetricsRequest, TracesRequest};

use crate::ingest::Sender;
use crate::performance_metrics::TOO_MANY;
use crate::service::Insight;

/// Reads a request and takes what is in it, without keeping it; true when it could be read.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(bytes: &[u8], json: bool, metrics: bool, now: chrono::DateTime<chrono::Utc>) -> bool {
    use loam_kernel::{ProjectId, TenantId};

    let encoding = if json { body::Encoding::Json } else { body::Encoding::Protobuf };
    let settings = OtlpSettings { max_items: 1000, ..OtlpSettings::default() };
    let owner = Owner { tenant: TenantId(uuid::Uuid::nil()), project: ProjectId(uuid::Uuid::nil()) };
    if metrics {
        let when = metrics::When { now, max_age_days: settings.max_age_days };
        body::decode::<MetricsRequest>(bytes, encoding, settings.max_items)
            .map(|request| metrics::take(&request, owner, when))
            .is_ok()
    } else {
        let Ok(request) = body::decode::<TracesRequest>(bytes, encoding, settings.max_items) else {
            return false;
        };
        let spans = spans::told(&request).filter(|told| spans::check(told.span, &settings, now).is_ok());
        _ = genai::said(spans, owner, 4096);
        _ = spans::take(&request, owner, &settings, now, true);
        true
    }
}

impl Insight {
    /// Keeps spans, and says what was not taken.
    async fn take_spans(&self, request: TracesRequest, sender: &Sender) -> Result<Refused> {
        let (owner, now) = (Owner::from(sender), self.0.clock.now());
        let (settings, keep) =
            (self.0.otlp.of(owner.tenant), self.0.gateway.max_recorded_body_bytes(owner.tenant));
        let work = move || {
            let taken = spans::take(&request, owner, &settings, now, keep > 0);
            let spans = spans::told(&request).filter(|told| spans::check(told.span, &settings, now).is_ok());
            (taken, genai::said(spans, owner, keep))
        };
        let (taken, said) = run_blocking_limited(sender.tenant, work).await?;
        // before the parts: what comes later in the journal is durable only with what comes before
        self.append_calls(owner, said).await?;
        self.accept(taken.parts).await?;
        if !taken.rejected.is_empty() {
            self.keep_rejected(sender, taken.rejected).await;
        }
        Ok(taken.refused)
    }

    /// Keeps values, and says what was not taken.
    async fn take_otlp_metrics(&self, request: MetricsRequest, owner: Owner) -> Result<Refused> {
        let max_age_days = self.0.metrics.with(owner.tenant, |settings| settings.max_age_days);
        let when = metrics::When { now: self.0.clock.now(), max_age_days };
        let metrics::Values { points, places, mut refused, .. } = metrics::take(&request, owner, when);
        let too_many = self.accept_points(owner, points).await?;
        // several values may come of one point
        let too_many: HashSet<usize> = too_many.into_iter().map(|number| places[number]).collect();
        too_many.iter().for_each(|_| refused.add(TOO_MANY));
        Ok(refused)
    }
}
