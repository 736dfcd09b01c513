//! Calls one destination after the other, until one responds.
//!
//! No part of a response has been sent to the client here: a response that is not streamed is read to its end, and of
//! a stream the first event has arrived, before failover ends. From then on the call belongs to the destination that
//! responded.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loam_kernel::{Error, Kind};

use super::Proxy;
use super::call::Call;
use super::failure::{CallError, Failure, FailureKind};
use super::send::ProviderResponse;
use crate::catalog::{CoolDown, Destination};

/// How long a rejected key is skipped, while there are others.
const REJECTED_KEY_COOL_DOWN: Duration = Duration::from_secs(60);
/// The cool-down of providers' keys, which routes don't configure.
const KEY_COOL_DOWN: CoolDown = CoolDown { after: 1, duration: Duration::from_secs(5) };

/// The state of failover for one call.
#[derive(Default)]
struct Failover {
    /// Destinations that won't accept this request; by their address in memory.
    excluded: HashSet<usize>,
    last: Option<CallError>,
    /// The shortest `Retry-After` of this pass; zero once a target that may be retried sent none.
    retry_after: Option<Duration>,
}

impl Failover {
    /// One target's `Retry-After` never delays another: the pause is for the first that may be retried.
    fn allow_retry(&mut self, retry_after: Option<Duration>) {
        let wait = retry_after.unwrap_or_default();
        self.retry_after = Some(self.retry_after.map_or(wait, |least| least.min(wait)));
    }
}

impl Proxy {
    /// Calls destinations until one responds. Each attempt is recorded.
    pub(super) async fn call_with_failover(&self, call: &mut Call) -> Result<ProviderResponse, CallError> {
        let total = call.plan.route().and_then(|route| route.timeouts.total());
        call.deadline = total.map(|total| call.open.began + total);
        let retries = call.plan.route().map(|route| route.retries);
        let mut failover = Failover::default();
        let mut pass = 0;
        loop {
            failover.retry_after = None;
            let destinations = call.plan.destinations();
            for destination in &destinations {
                if failover.excluded.contains(&Arc::as_ptr(destination).addr()) {
                    continue;
                }
                if let Some(response) = self.attempt_with_keys(call, destination, &mut failover).await? {
                    return Ok(response);
                }
            }
            let all_excluded =
                destinations.iter().all(|one| failover.excluded.contains(&Arc::as_ptr(one).addr()));
            let pause = retries
                .filter(|retries| !all_excluded && pass < retries.rounds)
                .and_then(|retries| retries.pause(pass, failover.retry_after, fastrand::f64()))
                .filter(|pause| call.deadline.is_none_or(|deadline| Instant::now() + *pause < deadline));
            let Some(pause) = pause else { return Err(failover.last.take().unwrap_or_else(no_target)) };
            tokio::time::sleep(pause).await;
            pass += 1;
        }
    }

    /// Calls one destination; with another key if the key failed.
    async fn attempt_with_keys(
        &self,
        call: &mut Call,
        destination: &Arc<Destination>,
        failover: &mut Failover,
    ) -> Result<Option<ProviderResponse>, CallError> {
        // one bit per key
        let mut used = 0_u64;
        loop {
            let key = destination.provider.key(Instant::now());
            if used & 1 << key.number != 0 {
                return Ok(None);
            }
            used |= 1 << key.number;
            let failure = match self.attempt(call, destination, key).await {
                Ok(response) => {
                    key.health.succeeded();
                    // a stream shows at its end whether the destination works
                    if matches!(response, ProviderResponse::Complete { .. }) {
                        call.record_health(true, None);
                    }
                    return Ok(Some(response));
                }
                Err(failure) => failure,
            };
            let Failure { error, kind } = failure;
            let retry_after = error.error.retry_after();
            failover.last = Some(error);
            match kind {
                FailureKind::InvalidRequest => {
                    // a destination that rejects a request is available
                    key.health.succeeded();
                    call.record_health(true, None);
                    return Err(failover.last.take().unwrap_or_else(no_target));
                }
                FailureKind::DeadlineExceeded => {
                    call.record_health(false, retry_after);
                    return Err(failover.last.take().unwrap_or_else(no_target));
                }
                FailureKind::Destination => {
                    failover.excluded.insert(Arc::as_ptr(destination).addr());
                    return Ok(None);
                }
                FailureKind::Transient => {
                    call.record_health(false, retry_after);
                    failover.allow_retry(retry_after);
                    return Ok(None);
                }
                FailureKind::Key { transient } => {
                    key.health.failed(
                        KEY_COOL_DOWN,
                        retry_after.or((!transient).then_some(REJECTED_KEY_COOL_DOWN)),
                        Instant::now(),
                    );
                    if used.count_ones() < destination.provider.keys() {
                        continue;
                    }
                    call.record_health(false, retry_after);
                    if transient {
                        failover.allow_retry(retry_after);
                    } else {
                        failover.excluded.insert(Arc::as_ptr(destination).addr());
                    }
                    return Ok(None);
                }
            }
        }
    }
}

fn no_target() -> CallError {
    Error::new(Kind::BadGateway, "no_target", "none of the route's targets can be called").into()
}
