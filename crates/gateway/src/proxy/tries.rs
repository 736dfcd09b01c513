//! Trying one destination after the other, until one answers.
//!
//! Nothing of an answer has gone to the client here: a whole answer is read to its end, and of a route's stream the
//! first event has come, before the search is over. From then on the call belongs to whoever answered.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use loam_kernel::{Error, Kind, Result};

use super::call::Call;
use super::send::{Answer, Failure, Fault};
use crate::catalog::{CoolDown, Destination};
use crate::service::Inner;

/// How long a key that was refused is left alone, while there are others.
const REFUSED_KEY_REST: Duration = Duration::from_secs(60);
/// For the keys of providers, whose failures no route has a rule for.
const KEY_COOL_DOWN: CoolDown = CoolDown { after: 1, rest: Duration::from_secs(5) };

/// What has been learned from the tries so far.
#[derive(Default)]
struct Search {
    /// Destinations that won't answer this request, however often they are asked; by their place in memory.
    hopeless: HashSet<usize>,
    last: Option<Error>,
    /// The shortest `Retry-After` of this pass; zero once a target that may be asked again sent none.
    retry_after: Option<Duration>,
}

impl Search {
    /// One target's `Retry-After` never delays another: the pause is for the first that may be asked.
    fn may_be_asked_again(&mut self, retry_after: Option<Duration>) {
        let wait = retry_after.unwrap_or_default();
        self.retry_after = Some(self.retry_after.map_or(wait, |least| least.min(wait)));
    }
}

impl Inner {
    /// Finds an answer. Each try is noted in the call's record.
    pub(super) async fn search(&self, call: &mut Call) -> Result<Answer> {
        let total = call.plan.route().and_then(|route| route.timeouts.total());
        call.deadline = total.map(|total| call.open.began + total);
        let retries = call.plan.route().map(|route| route.retries);
        let mut search = Search::default();
        let mut pass = 0;
        loop {
            search.retry_after = None;
            let destinations = call.plan.destinations();
            for destination in &destinations {
                if search.hopeless.contains(&Arc::as_ptr(destination).addr()) {
                    continue;
                }
                if let Some(answer) = self.ask_with_keys(call, destination, &mut search).await? {
                    return Ok(answer);
                }
            }
            let hopeless = destinations.iter().all(|one| search.hopeless.contains(&Arc::as_ptr(one).addr()));
            let pause = retries
                .filter(|retries| !hopeless && pass < retries.rounds)
                .and_then(|retries| retries.pause(pass, search.retry_after, fastrand::f64()))
                .filter(|pause| call.deadline.is_none_or(|deadline| Instant::now() + *pause < deadline));
            let Some(pause) = pause else { return Err(search.last.take().unwrap_or_else(nobody)) };
            tokio::time::sleep(pause).await;
            pass += 1;
        }
    }

    /// Asks one destination, with another key when it was the key that failed.
    async fn ask_with_keys(
        &self,
        call: &mut Call,
        destination: &Arc<Destination>,
        search: &mut Search,
    ) -> Result<Option<Answer>> {
        let rule = call.plan.route().map(|route| route.cool_down);
        // a bit a key
        let mut used = 0_u64;
        loop {
            let key = destination.provider.key(Instant::now());
            if used & 1 << key.number != 0 {
                return Ok(None);
            }
            used |= 1 << key.number;
            let failure = match self.ask(call, destination, key).await {
                Ok(answer) => {
                    key.health.succeeded();
                    destination.health.iter().for_each(|health| health.succeeded());
                    return Ok(Some(answer));
                }
                Err(failure) => failure,
            };
            let Failure { error, fault } = failure;
            let told = error.retry_after();
            search.last = Some(error);
            let now = Instant::now();
            match fault {
                Fault::Request => {
                    // who finds fault with a request is there
                    key.health.succeeded();
                    destination.health.iter().for_each(|health| health.succeeded());
                    return Err(search.last.take().unwrap_or_else(nobody));
                }
                Fault::OutOfTime => {
                    note(destination, rule, told, now);
                    return Err(search.last.take().unwrap_or_else(nobody));
                }
                Fault::Destination => {
                    search.hopeless.insert(Arc::as_ptr(destination).addr());
                    return Ok(None);
                }
                Fault::Passing => {
                    note(destination, rule, told, now);
                    search.may_be_asked_again(told);
                    return Ok(None);
                }
                Fault::Key { passing } => {
                    key.health.failed(KEY_COOL_DOWN, told.or((!passing).then_some(REFUSED_KEY_REST)), now);
                    if used.count_ones() < destination.provider.keys() {
                        continue;
                    }
                    note(destination, rule, told, now);
                    if passing {
                        search.may_be_asked_again(told);
                    } else {
                        search.hopeless.insert(Arc::as_ptr(destination).addr());
                    }
                    return Ok(None);
                }
            }
        }
    }
}

fn note(destination: &Destination, rule: Option<CoolDown>, told: Option<Duration>, now: Instant) {
    if let (Some(health), Some(rule)) = (&destination.health, rule) {
        health.failed(rule, told, now);
    }
}

fn nobody() -> Error {
    Error::new(Kind::BadGateway, "no_target", "none of the route's targets can be called")
}

/// The first part of an answer's body, within the time for it; none when the body is empty.
pub(super) async fn first_part(
    body: &mut loam_http::client::Body,
    patience: Duration,
) -> Result<Option<bytes::Bytes>, String> {
    let part = tokio::time::timeout(patience, async {
        loop {
            match body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => {}
                },
                Some(Err(e)) => return Err(e.to_string()),
                None => return Ok(None),
            }
        }
    });
    part.await.unwrap_or_else(|_| Err(format!("nothing of it came within {patience:?}")))
}
