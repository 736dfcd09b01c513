//! Asking one provider once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use loam_http::client::{Body, SendError, retry_after};
use loam_kernel::{Error, Kind};
use loam_providers::{Ask, Reader, Whole};

use super::call::Call;
use super::tries::first_part;
use crate::catalog::{Destination, Key};
use crate::llm_calls::Attempt;
use crate::service::Inner;

/// Headers of an answer that go on to the client, besides those that begin with `openai-`, `anthropic-` or
/// `x-ratelimit-`.
const PASSED: [HeaderName; 2] = [CONTENT_TYPE, RETRY_AFTER];

/// An answer that is good for the client.
pub(super) enum Answer {
    /// All of it.
    Whole { head: Head, whole: Whole },
    /// A stream, and what of it has come.
    Stream { head: Head, first: Bytes, body: Body, reader: Box<dyn Reader> },
}

/// Status and headers for the client.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// Why a try brought no answer.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) fault: Fault,
}

/// Whose fault it is, and so what helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The request's: nobody would answer it.
    Request,
    /// The destination's, for this request: another one may answer.
    Destination,
    /// The key's: another one may do. `passing` when this one may do later.
    Key { passing: bool },
    /// The moment's: the same may work later.
    Passing,
    /// Whoever was asked when the call's time was up; there is none left for another.
    OutOfTime,
}

impl Fault {
    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401..=403 => Self::Key { passing: false },
            429 => Self::Key { passing: true },
            404 | 405 | 501 => Self::Destination,
            408 | 409 | 425 | 500.. => Self::Passing,
            _ => Self::Request,
        }
    }
}

impl Inner {
    /// Sends the request, reads the answer as far as need be, and notes the try in the call's record.
    pub(super) async fn ask(
        &self,
        call: &mut Call,
        destination: &Arc<Destination>,
        key: &Key,
    ) -> Result<Answer, Failure> {
        let began = Instant::now();
        call.answered_by(destination);
        call.open.record.status = None;
        let deadline = call.deadline;
        let asked = {
            let mut asking = std::pin::pin!(self.ask_once(call, destination, key));
            match deadline {
                None => Some(asking.await),
                Some(deadline) => tokio::time::timeout_at(deadline.into(), asking.as_mut()).await.ok(),
            }
        };
        let asked =
            asked.unwrap_or_else(|| Err(Failure { error: out_of_time(call), fault: Fault::OutOfTime }));
        let record = &mut call.open.record;
        record.attempts.push(Attempt {
            target: format!("{}/{}", destination.provider.name, destination.model),
            status: record.status,
            duration_ms: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            error: asked.as_ref().err().map(|failure| failure.error.message().to_owned()),
        });
        asked
    }

    async fn ask_once(
        &self,
        call: &mut Call,
        destination: &Destination,
        key: &Key,
    ) -> Result<Answer, Failure> {
        let provider = &*destination.provider;
        let elsewhere = |error| Failure { error, fault: Fault::Destination };
        let broken = |error| Failure { error, fault: Fault::Passing };
        let ask =
            Ask { endpoint: call.endpoint, head: &call.head, body: &call.request, model: &destination.model };
        let outgoing = provider.wire.outgoing(&provider.config, &ask).map_err(elsewhere)?;
        let mut reader = provider.wire.reader(&ask);
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = provider.uri(call.endpoint, &outgoing).map_err(elsewhere)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if call.head.stream { "text/event-stream" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        for (name, value) in outgoing.headers.iter().chain(&key.headers) {
            headers.insert(name.clone(), value.clone());
        }
        let route = call.plan.route();
        let timeouts = route.map_or(provider.timeouts, |route| route.timeouts.over(provider.timeouts));
        let sent_at = Instant::now();
        let answer = self.client.send(request, timeouts).await;
        call.open.record.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        let answer = answer.map_err(|e| {
            let fault = match e {
                SendError::Url { .. } | SendError::Refused { .. } => Fault::Destination,
                _ => Fault::Passing,
            };
            Failure { error: unreachable(&provider.name, e), fault }
        })?;
        let (parts, mut body) = answer.into_parts();
        let head = Head { status: parts.status, headers: passed(&parts.headers) };
        let patience = timeouts.first_byte.saturating_sub(sent_at.elapsed());
        if parts.status.is_success() && call.head.stream && is_events(&parts.headers) {
            let mut first = Bytes::new();
            // a route has others to ask should this one say nothing
            if route.is_some() {
                let part = first_part(&mut body, patience).await;
                let part =
                    part.and_then(|part| part.ok_or("it ended its stream before the first event".to_owned()));
                first = part.map_err(|why| broken(broke_off(&provider.name, &why)))?;
            }
            return Ok(Answer::Stream { head, first, body, reader });
        }
        let read = read_begun(&provider.name, body, patience, self.config.max_answer_bytes).await;
        let body = read.map_err(broken)?;
        if !parts.status.is_success() {
            let (status, after) = (parts.status.as_u16(), retry_after(&parts.headers, self.clock.now()));
            let error = provider.wire.error(&provider.name, status, &body, after);
            return Err(Failure { error, fault: Fault::of_status(parts.status) });
        }
        let whole = reader.whole(body).map_err(broken)?;
        call.mark_first();
        Ok(Answer::Whole { head, whole })
    }
}

fn is_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().starts_with("text/event-stream"))
}

/// The error for a provider that could not be asked, or did not begin to answer.
fn unreachable(provider: &str, error: SendError) -> Error {
    let (kind, code) = if error.is_timeout() {
        (Kind::Timeout, "provider_timeout")
    } else {
        (Kind::BadGateway, "provider_unreachable")
    };
    Error::new(kind, code, format!("provider `{provider}` could not be reached: {error}")).with_source(error)
}

/// The error for a provider whose answer ended before its end.
pub(super) fn broke_off(provider: &str, why: &str) -> Error {
    let message = format!("provider `{provider}` broke off its answer: {why}");
    Error::new(Kind::BadGateway, "provider_broke_off", message)
}

/// The error for a route whose time is up.
fn out_of_time(call: &Call) -> Error {
    let alias = call.plan.route().map(|route| route.alias.as_str()).unwrap_or_default();
    let message = format!("route `{alias}` found no answer within its total time-out");
    Error::new(Kind::Timeout, "route_timeout", message)
}

/// Reads a whole body, of at most `max` bytes, which has to begin within `patience`.
async fn read_begun(provider: &str, mut body: Body, patience: Duration, max: usize) -> Result<Bytes, Error> {
    let first = first_part(&mut body, patience).await.map_err(|why| broke_off(provider, &why))?;
    let first = first.unwrap_or_default();
    if first.len() > max {
        return Err(broke_off(provider, "it is longer than an answer may be"));
    }
    let rest = read_all(provider, body, max - first.len()).await?;
    // most come in one part
    Ok(if rest.is_empty() { first } else { [first, rest].concat().into() })
}

/// Reads a whole body, of at most `max` bytes.
pub(super) async fn read_all(provider: &str, body: Body, max: usize) -> Result<Bytes, Error> {
    let read = Limited::new(body, max).collect().await.map(http_body_util::Collected::to_bytes);
    read.map_err(|e| broke_off(provider, &e.to_string()).with_source(e))
}

/// The headers of an answer that go on to the client.
fn passed(headers: &HeaderMap) -> HeaderMap {
    let passes = |name: &HeaderName| {
        PASSED.contains(name)
            || ["openai-", "anthropic-", "x-ratelimit-"]
                .iter()
                .any(|prefix| name.as_str().starts_with(prefix))
    };
    headers
        .iter()
        .filter(|(name, _)| passes(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
