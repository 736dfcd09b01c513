//! Calls that are served from the response cache.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use loam_kernel::{Result, TenantId, digest_of};
use loam_providers::openai::ChatOutput;

use super::Proxy;
use super::call::Call;
use super::call_response::{CallBody, CallResponse};
use super::response_cache::{CachedResponse, Key, ResponseHead};
use crate::llm_calls::entity::{CacheUse, CallState};
use crate::llm_calls::ledger::Outcome;

/// The header with the result of the cache.
const CACHE: HeaderName = HeaderName::from_static("x-loam-cache");
/// Larger responses are not cached.
const MAX_BYTES: usize = 1 << 20;

/// The cache key of a request, and its TTL; none if its route doesn't cache.
fn cache_key(tenant: TenantId, call: &Call) -> Option<(Key, Duration)> {
    let route = call.plan.route()?;
    // bytes are forwarded as they arrive, and forms have files
    let ttl = route.cache.filter(|_| !call.endpoint.returns_bytes() && !call.endpoint.takes_form())?;
    // a change of a route invalidates its cached responses
    let version = call.models.version.to_be_bytes();
    let key = digest_of([
        &tenant.0.as_bytes()[..],
        &version,
        route.alias.as_bytes(),
        call.endpoint.path().as_bytes(),
        &call.request,
    ]);
    Some((key, ttl))
}

impl Proxy {
    /// Looks up the cached response of an identical request.
    pub(super) fn cached_response(&self, call: &mut Call) -> Option<Arc<CachedResponse>> {
        let (key, ttl) = cache_key(call.open.record.tenant, call)?;
        let cached = self.0.response_cache.0.get(&key);
        let found = if cached.is_some() { CacheUse::Hit } else { CacheUse::Miss };
        metrics::counter!("loam_response_cache_total", "result" => found.name()).increment(1);
        call.open.record.cache = Some(found);
        call.cache = Some((key, ttl));
        cached
    }

    /// Settles a call with a cached response.
    pub(super) async fn respond_from_cache(
        &self,
        mut call: Call,
        cached: &CachedResponse,
    ) -> Result<CallResponse> {
        let record = &mut call.open.record;
        record.provider.clone_from(&cached.provider);
        record.model.clone_from(&cached.model);
        record.status = Some(cached.head.status.as_u16());
        call.mark_first_byte();
        let outcome = Outcome {
            state: CallState::Settled,
            usage: cached.usage,
            quantity: cached.quantity,
            response: std::slice::from_ref(&cached.body),
            events: cached.events,
        };
        let max_bytes = self.max_recorded_body_bytes(call.open.record.tenant);
        let completed = call.completed(outcome.response, cached.events, cached.usage);
        let read = || ChatOutput::of_recorded(&cached.body, cached.events).map(Box::new);
        let output = call.keeps_output.then(read).transpose()?;
        let position = self.0.ledger.settle(call.open, &outcome, max_bytes)?;
        self.finish(position, completed).await?;
        let mut head = cached.head.clone();
        head.headers.insert(CACHE, HeaderValue::from_static("hit"));
        Ok(CallResponse { head, body: CallBody::Complete { body: cached.body.clone(), output } })
    }

    /// Caches a complete, successful response, if its route is configured to.
    pub(super) fn cache_response(&self, call: &Call, head: &ResponseHead, outcome: &Outcome<'_>) {
        let Some((key, ttl)) = call.cache else { return };
        if outcome.response.iter().map(bytes::Bytes::len).sum::<usize>() > MAX_BYTES {
            return;
        }
        let record = &call.open.record;
        let cached = CachedResponse {
            tenant: record.tenant,
            head: head.clone(),
            body: outcome.response.concat().into(),
            usage: outcome.usage,
            quantity: outcome.quantity,
            events: outcome.events,
            provider: record.provider.clone(),
            model: record.model.clone(),
            ttl,
        };
        self.0.response_cache.0.insert(key, Arc::new(cached));
    }
}
