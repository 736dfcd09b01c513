//! OpenTelemetry's protocol over HTTP: spans and values of metrics.
//!
//! Messages are read into structs of the fields that matter, and told on in Loam's own terms: parts of traces, model
//! calls, values. Names of attributes are looked up by the conventions of now and of before.

mod attributes;
mod body;
mod genai;
mod refused;
pub(crate) mod routes;
mod settings;
mod spans;
mod wire;

use std::sync::Arc;

use loam_kernel::{Error, Result};

pub(crate) use refused::Refused;
pub use settings::{OTLP, OtlpSettings};
pub(crate) use spans::Owner;
use spans::take;
use wire::TracesRequest;

use crate::service::Insight;

impl Insight {
    /// Keeps spans, and says what was not taken.
    async fn take_spans(&self, request: TracesRequest, owner: Owner, settings: Arc<OtlpSettings>) -> Result<Refused> {
        let now = self.0.clock.now();
        let taken = tokio::task::spawn_blocking(move || take(&request, owner, &settings, now));
        let taken = taken.await.map_err(Error::internal)?;
        self.accept(&taken.parts).await?;
        Ok(taken.refused)
    }
}

impl Insight {
    async fn take_otlp_metrics(&self, _request: wire::MetricsRequest, _owner: Owner, _settings: &OtlpSettings) -> Result<Refused> {
        Ok(Refused::default())
    }
}
