//! Caches responses for identical requests, if a route is configured to.
//!
//! The key includes the tenant, so no tenant receives another's response, the route, and every byte of the request. A
//! call served from the cache is recorded like any other, but costs nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use loam_kernel::{Result, TenantId, digest_of};
use loam_providers::Usage;
use moka::Expiry;
use moka::sync::Cache;

use super::call::Call;
use super::send::ResponseHead;
use crate::llm_calls::entity::{CacheUse, CallState};
use crate::llm_calls::ledger::Outcome;
use crate::service::Inner;

/// The header with the result of the cache.
const CACHE: HeaderName = HeaderName::from_static("x-loam-cache");
/// Larger responses are not cached.
const MAX_BYTES: usize = 1 << 20;

/// A digest of tenant, version of its routes, route, endpoint and request.
pub(super) type Key = [u8; 32];

/// A cached response.
pub(crate) struct CachedResponse {
    tenant: TenantId,
    head: ResponseHead,
    body: Bytes,
    usage: Usage,
    events: bool,
    provider: String,
    model: String,
    ttl: Duration,
}

struct Ttl;

impl Expiry<Key, Arc<CachedResponse>> for Ttl {
    fn expire_after_create(&self, _: &Key, cached: &Arc<CachedResponse>, _: Instant) -> Option<Duration> {
        Some(cached.ttl)
    }
}

/// Cached responses, each with its route's TTL. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ResponseCache(Cache<Key, Arc<CachedResponse>>);

impl ResponseCache {
    /// A cache of at most `max_bytes` bytes.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let weigh = |_: &Key, cached: &Arc<CachedResponse>| {
            u32::try_from(cached.body.len() + 512).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(max_bytes).weigher(weigh).expire_after(Ttl);
        Self(cache.support_invalidation_closures().build())
    }

    /// Removes all responses of a tenant: a person is being erased, and a response doesn't name whose data it holds.
    pub(crate) fn remove_tenant(&self, tenant: TenantId) {
        if let Err(e) = self.0.invalidate_entries_if(move |_, cached| cached.tenant == tenant) {
            tracing::error!(error = %e, "cannot remove a tenant's cached responses");
        }
    }
}

/// The cache key of a request, and its TTL; none if its route doesn't cache.
pub(super) fn cache_key(tenant: TenantId, call: &Call) -> Option<(Key, Duration)> {
    let route = call.plan.route()?;
    let ttl = route.cache?;
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

impl Inner {
    /// Looks up the cached response of an identical request.
    pub(super) fn cached_response(&self, call: &mut Call) -> Option<Arc<CachedResponse>> {
        let (key, ttl) = cache_key(call.open.record.tenant, call)?;
        let cached = self.response_cache.0.get(&key);
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
    ) -> Result<Response> {
        let record = &mut call.open.record;
        record.provider.clone_from(&cached.provider);
        record.model.clone_from(&cached.model);
        record.status = Some(cached.head.status.as_u16());
        call.mark_first_byte();
        let outcome = Outcome {
            state: CallState::Settled,
            usage: Some(cached.usage),
            response: std::slice::from_ref(&cached.body),
            events: cached.events,
        };
        let max_bytes = self.max_recorded_body_bytes(call.open.record.tenant);
        let completed = call.completed(outcome.response, cached.events, Some(cached.usage));
        let position = self.ledger.settle(call.open, &outcome, max_bytes)?;
        self.finish(position, completed).await?;
        let mut response = Response::new(Body::from(cached.body.clone()));
        *response.status_mut() = cached.head.status;
        *response.headers_mut() = cached.head.headers.clone();
        response.headers_mut().insert(CACHE, HeaderValue::from_static("hit"));
        Ok(response)
    }

    /// Caches a complete, successful response, if its route is configured to.
    pub(super) fn cache_response(
        &self,
        call: &Call,
        head: &ResponseHead,
        body: &[Bytes],
        usage: Usage,
        events: bool,
    ) {
        let Some((key, ttl)) = call.cache else { return };
        if body.iter().map(Bytes::len).sum::<usize>() > MAX_BYTES {
            return;
        }
        let record = &call.open.record;
        let cached = CachedResponse {
            tenant: record.tenant,
            head: head.clone(),
            body: body.concat().into(),
            usage,
            events,
            provider: record.provider.clone(),
            model: record.model.clone(),
            ttl,
        };
        self.response_cache.0.insert(key, Arc::new(cached));
    }
}
