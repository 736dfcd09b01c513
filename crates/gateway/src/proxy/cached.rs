//! Answers that are given again to the very same request, where a route says so.
//!
//! The tenant is part of the key, so nobody is given another tenant's answer; so are the route and every byte of the
//! request. A call that is answered from here is a call like any other on record, but costs nothing.

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
use super::send::Head;
use crate::llm_calls::entity::{CacheUse, CallState};
use crate::llm_calls::ledger::Outcome;
use crate::service::Inner;

/// Says what the cache did.
const CACHE: HeaderName = HeaderName::from_static("x-loam-cache");
/// An answer of more bytes than this is not kept.
const MAX_BYTES: usize = 1 << 20;

/// A digest of tenant, state of its routes, route, endpoint and request.
pub(super) type Key = [u8; 32];

/// An answer that is kept.
pub(crate) struct Kept {
    tenant: TenantId,
    head: Head,
    body: Bytes,
    usage: Usage,
    events: bool,
    provider: String,
    model: String,
    lives: Duration,
}

struct Lives;

impl Expiry<Key, Arc<Kept>> for Lives {
    fn expire_after_create(&self, _: &Key, kept: &Arc<Kept>, _: Instant) -> Option<Duration> {
        Some(kept.lives)
    }
}

/// Answers, each kept for as long as its route says. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Answers(Cache<Key, Arc<Kept>>);

impl Answers {
    /// A cache of at most so many bytes.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let weigh = |_: &Key, kept: &Arc<Kept>| u32::try_from(kept.body.len() + 512).unwrap_or(u32::MAX);
        let cache = Cache::builder().max_capacity(max_bytes).weigher(weigh).expire_after(Lives);
        Self(cache.support_invalidation_closures().build())
    }

    /// Gives no answer of a tenant's any more: somebody is erased, and an answer doesn't say whose it is.
    pub(crate) fn forget(&self, tenant: TenantId) {
        if let Err(e) = self.0.invalidate_entries_if(move |_, kept| kept.tenant == tenant) {
            tracing::error!(error = %e, "cannot forget the answers of a tenant");
        }
    }
}

/// What a request is known by; none where its route keeps nothing.
pub(super) fn key_of(tenant: TenantId, call: &Call) -> Option<(Key, Duration)> {
    let route = call.plan.route()?;
    let lives = route.cache?;
    // what a route led to before it was changed is no answer any more
    let version = call.models.version.to_be_bytes();
    let key = digest_of([
        &tenant.0.as_bytes()[..],
        &version,
        route.alias.as_bytes(),
        call.endpoint.path().as_bytes(),
        &call.request,
    ]);
    Some((key, lives))
}

impl Inner {
    /// Answers from the cache, if the very same was asked before.
    pub(super) fn kept_answer(&self, call: &mut Call) -> Option<Arc<Kept>> {
        let (key, lives) = key_of(call.open.record.tenant, call)?;
        let kept = self.answers.0.get(&key);
        let found = if kept.is_some() { CacheUse::Hit } else { CacheUse::Miss };
        metrics::counter!("loam_response_cache_total", "result" => found.name()).increment(1);
        call.open.record.cache = Some(found);
        call.cache = Some((key, lives));
        kept
    }

    /// Settles a call with an answer that was kept.
    pub(super) async fn answer_kept(&self, mut call: Call, kept: &Kept) -> Result<Response> {
        let record = &mut call.open.record;
        record.provider.clone_from(&kept.provider);
        record.model.clone_from(&kept.model);
        record.status = Some(kept.head.status.as_u16());
        call.mark_first();
        let outcome = Outcome {
            state: CallState::Settled,
            usage: Some(kept.usage),
            answer: std::slice::from_ref(&kept.body),
            events: kept.events,
        };
        let keep = self.keep(call.open.record.tenant);
        let told = call.told(outcome.answer, kept.events, Some(kept.usage));
        let position = self.ledger.settle(call.open, &outcome, keep)?;
        self.settled(position, told).await?;
        let mut response = Response::new(Body::from(kept.body.clone()));
        *response.status_mut() = kept.head.status;
        *response.headers_mut() = kept.head.headers.clone();
        response.headers_mut().insert(CACHE, HeaderValue::from_static("hit"));
        Ok(response)
    }

    /// Keeps an answer that came whole and well, if its route says so.
    pub(super) fn keep_answer(&self, call: &Call, head: &Head, body: &[Bytes], usage: Usage, events: bool) {
        let Some((key, lives)) = call.cache else { return };
        if body.iter().map(Bytes::len).sum::<usize>() > MAX_BYTES {
            return;
        }
        let record = &call.open.record;
        let kept = Kept {
            tenant: record.tenant,
            head: head.clone(),
            body: body.concat().into(),
            usage,
            events,
            provider: record.provider.clone(),
            model: record.model.clone(),
            lives,
        };
        self.answers.0.insert(key, Arc::new(kept));
    }
}
