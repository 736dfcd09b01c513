//! Caches responses for identical requests, if a route is configured to.
//!
//! The key includes the tenant, so no tenant receives another's response, the route, and every byte of the request. A
//! call served from the cache is recorded like any other, but costs nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use loam_kernel::TenantId;
use loam_providers::{Quantity, Usage};
use moka::Expiry;
use moka::sync::Cache;

/// A digest of tenant, version of its routes, route, endpoint and request.
pub(super) type Key = [u8; 32];

/// Status and headers for the client.
#[derive(Clone)]
pub(super) struct ResponseHead {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// A cached response.
pub(crate) struct CachedResponse {
    pub(super) tenant: TenantId,
    pub(super) head: ResponseHead,
    pub(super) body: Bytes,
    pub(super) usage: Option<Usage>,
    pub(super) quantity: Option<Quantity>,
    pub(super) events: bool,
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) ttl: Duration,
}

struct Ttl;

impl Expiry<Key, Arc<CachedResponse>> for Ttl {
    fn expire_after_create(&self, _: &Key, cached: &Arc<CachedResponse>, _: Instant) -> Option<Duration> {
        Some(cached.ttl)
    }
}

/// Cached responses, each with its route's TTL. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ResponseCache(pub(super) Cache<Key, Arc<CachedResponse>>);

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
