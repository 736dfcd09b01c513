//! Receives telemetry in any format: finds its project, meters it, and reads, decompresses and decodes its body, all
//! within limits.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use loam_http::surface::read_at_most;
use loam_kernel::{ProjectId, Result, Scope, TenantId, run_blocking_limited};

use super::body::{ContentEncoding, too_large};
use super::limits::TimeLimits;
use super::source::{IngestSource, project_header};
use crate::ingest::Ingest;

/// Uncompressed bodies below this size in bytes are decoded on the async thread; others would block other requests.
const MAX_INLINE_BYTES: usize = 64 << 10;

impl Ingest {
    /// Receives a request with telemetry: its source, and what `decode` makes of its decompressed body. The project is
    /// that of the API key, otherwise the one that `selected` or the header `x-loam-project` names.
    ///
    /// # Errors
    /// 400, 403 or 404 for the project, 429 at a rate limit, 413 for the size, 415 for the encoding, and those of
    /// `decode`.
    pub(crate) async fn receive<T: Send + 'static>(
        &self,
        scope: &Scope,
        selected: Option<ProjectId>,
        headers: &HeaderMap,
        body: Body,
        decode: impl FnOnce(&IngestSource, &[u8]) -> Result<T> + Send + 'static,
    ) -> Result<(IngestSource, T)> {
        let ingest_source = self.ingest_source(scope, selected.or(project_header(headers)?)).await?;
        let encoding = ContentEncoding::of(headers)?;
        let (tenant, project) = (ingest_source.tenant, ingest_source.project.id);
        let limits = self.0.settings.of(tenant);
        let now = self.0.clock.now();
        self.0.meter.request(project, now, &limits)?;
        self.0.activity.record(tenant, project, now);
        let content_length =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if content_length.is_some_and(|length: usize| length > limits.max_body_bytes) {
            return Err(too_large(limits.max_body_bytes));
        }
        let body = read_at_most(body, limits.max_body_bytes).await?;
        let is_small = encoding == ContentEncoding::Identity && body.len() < MAX_INLINE_BYTES;
        let (source, max) = (ingest_source.clone(), limits.max_unpacked_bytes);
        let decode = move || -> Result<(usize, Result<T>)> {
            let body: Bytes = encoding.decode(body, max)?;
            Ok((body.len(), decode(&source, &body)))
        };
        let (length, decoded) =
            if is_small { decode()? } else { run_blocking_limited(tenant, decode).await?? };
        self.0.meter.bytes(project, now, length);
        Ok((ingest_source, decoded?))
    }

    /// The accepted times of a tenant's telemetry.
    pub(crate) fn time_limits(&self, tenant: TenantId) -> TimeLimits {
        let max_age_days = self.0.settings.with(tenant, |limits| limits.max_age_days);
        TimeLimits { now: self.0.clock.now(), max_age_days }
    }
}
