//! Sends a request to one provider once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use loam_http::client::{Body, SendError, retry_after};
use loam_kernel::{Error, Kind};
use loam_providers::{CompleteResponse, ProviderRequest, Reader};

use super::call::Call;
use super::response_cache::ResponseHead;
use crate::catalog::{Destination, Key};
use crate::llm_calls::Attempt;
use crate::service::Inner;

/// Headers of a response that are forwarded to the client, besides those that start with `openai-`, `anthropic-` or
/// `x-ratelimit-`.
const FORWARDED_HEADERS: [HeaderName; 2] = [CONTENT_TYPE, RETRY_AFTER];

/// A successful response.
pub(super) enum ProviderResponse {
    /// A complete response.
    Complete { head: ResponseHead, response: CompleteResponse },
    /// A stream, and the part that has arrived.
    Stream { head: ResponseHead, first: Bytes, body: Body, reader: Box<dyn Reader> },
}

/// Why an attempt failed.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) kind: FailureKind,
}

/// The kind of failure, which decides what is tried next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// The request is invalid: no target would accept it.
    InvalidRequest,
    /// The destination can't serve this request: another one may.
    Destination,
    /// The key was rejected: another one may work. `transient`: this one may work later.
    Key { transient: bool },
    /// A transient failure: the same attempt may succeed later.
    Transient,
    /// The deadline of the call passed during the attempt: no time is left for another.
    DeadlineExceeded,
}

impl FailureKind {
    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401..=403 => Self::Key { transient: false },
            429 => Self::Key { transient: true },
            404 | 405 | 501 => Self::Destination,
            408 | 409 | 425 | 500.. => Self::Transient,
            _ => Self::InvalidRequest,
        }
    }
}

impl Inner {
    /// Sends the request, reads the response as far as needed, and records the attempt.
    pub(super) async fn attempt(
        &self,
        call: &mut Call,
        destination: &Arc<Destination>,
        key: &Key,
    ) -> Result<ProviderResponse, Failure> {
        let began = Instant::now();
        call.set_destination(destination);
        call.open.record.status = None;
        let deadline = call.deadline;
        let outcome = {
            let mut sending = std::pin::pin!(self.send_once(call, destination, key));
            match deadline {
                None => Some(sending.await),
                Some(deadline) => tokio::time::timeout_at(deadline.into(), sending.as_mut()).await.ok(),
            }
        };
        let outcome = outcome.unwrap_or_else(|| {
            Err(Failure { error: deadline_exceeded(call), kind: FailureKind::DeadlineExceeded })
        });
        let record = &mut call.open.record;
        record.attempts.push(Attempt {
            target: format!("{}/{}", destination.provider.name, destination.model),
            status: record.status,
            duration_ms: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            error: outcome.as_ref().err().map(|failure| failure.error.message().to_owned()),
        });
        outcome
    }

    async fn send_once(
        &self,
        call: &mut Call,
        destination: &Destination,
        key: &Key,
    ) -> Result<ProviderResponse, Failure> {
        let provider = &*destination.provider;
        let unusable = |error| Failure { error, kind: FailureKind::Destination };
        let transient_failure = |error| Failure { error, kind: FailureKind::Transient };
        let provider_request = ProviderRequest {
            endpoint: call.endpoint,
            envelope: &call.envelope,
            body: &call.request,
            model: &destination.model,
        };
        let outgoing = provider.wire.outgoing(&provider.config, &provider_request).map_err(unusable)?;
        let mut reader = provider.wire.reader(&provider_request);
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = provider.uri(call.endpoint, &outgoing).map_err(unusable)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if call.envelope.stream { "text/event-stream" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        for (name, value) in outgoing.headers.iter().chain(&key.headers) {
            headers.insert(name.clone(), value.clone());
        }
        let route = call.plan.route();
        let timeouts = route.map_or(provider.timeouts, |route| route.timeouts.over(provider.timeouts));
        let sent_at = Instant::now();
        let response = self.client.send(request, timeouts).await;
        call.open.record.status = response.as_ref().ok().map(|response| response.status().as_u16());
        let response = response.map_err(|e| {
            let kind = match e {
                SendError::Url { .. } | SendError::Refused { .. } => FailureKind::Destination,
                _ => FailureKind::Transient,
            };
            Failure { error: unreachable(&provider.name, e), kind }
        })?;
        let (parts, mut body) = response.into_parts();
        let head = ResponseHead { status: parts.status, headers: forwarded_headers(&parts.headers) };
        let timeout = timeouts.first_byte.saturating_sub(sent_at.elapsed());
        if parts.status.is_success() && call.envelope.stream && is_events(&parts.headers) {
            let mut first = Bytes::new();
            // a route can fail over if the stream has no first event
            if route.is_some() {
                let part = first_chunk(&mut body, timeout).await;
                let part =
                    part.and_then(|part| part.ok_or("it ended its stream before the first event".to_owned()));
                first = part.map_err(|why| transient_failure(interrupted(&provider.name, &why)))?;
            }
            return Ok(ProviderResponse::Stream { head, first, body, reader });
        }
        let read = read_body(&provider.name, body, timeout, self.config.max_answer_bytes).await;
        let body = read.map_err(transient_failure)?;
        if !parts.status.is_success() {
            let (status, after) = (parts.status.as_u16(), retry_after(&parts.headers, self.clock.now()));
            let error = provider.wire.error(&provider.name, status, &body, after);
            return Err(Failure { error, kind: FailureKind::of_status(parts.status) });
        }
        let response = reader.read_complete(body).map_err(transient_failure)?;
        call.mark_first_byte();
        Ok(ProviderResponse::Complete { head, response })
    }
}

fn is_events(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().starts_with("text/event-stream"))
}

/// The error for a provider that could not be reached, or did not start to respond.
fn unreachable(provider: &str, error: SendError) -> Error {
    let (kind, code) = if error.is_timeout() {
        (Kind::Timeout, "provider_timeout")
    } else {
        (Kind::BadGateway, "provider_unreachable")
    };
    Error::new(kind, code, format!("provider `{provider}` could not be reached: {error}")).with_source(error)
}

/// The error for a response that ended early.
pub(super) fn interrupted(provider: &str, why: &str) -> Error {
    let message = format!("provider `{provider}` did not complete its response: {why}");
    Error::new(Kind::BadGateway, "provider_broke_off", message)
}

/// The error for a route whose total timeout has passed.
fn deadline_exceeded(call: &Call) -> Error {
    let alias = call.plan.route().map(|route| route.alias.as_str()).unwrap_or_default();
    let message = format!("route `{alias}` got no response within its total timeout");
    Error::new(Kind::Timeout, "route_timeout", message)
}

/// Reads a complete body, of at most `max` bytes, which has to start within `timeout`.
async fn read_body(provider: &str, mut body: Body, timeout: Duration, max: usize) -> Result<Bytes, Error> {
    let first = first_chunk(&mut body, timeout).await.map_err(|why| interrupted(provider, &why))?;
    let first = first.unwrap_or_default();
    if first.len() > max {
        return Err(interrupted(provider, "it exceeds the maximum size"));
    }
    let rest = read_all(provider, body, max - first.len()).await?;
    // most bodies arrive in one chunk
    Ok(if rest.is_empty() { first } else { [first, rest].concat().into() })
}

/// Reads a complete body, of at most `max` bytes.
pub(super) async fn read_all(provider: &str, body: Body, max: usize) -> Result<Bytes, Error> {
    let read = Limited::new(body, max).collect().await.map(http_body_util::Collected::to_bytes);
    read.map_err(|e| interrupted(provider, &e.to_string()).with_source(e))
}

/// The headers of a response that are forwarded to the client.
fn forwarded_headers(headers: &HeaderMap) -> HeaderMap {
    let is_forwarded = |name: &HeaderName| {
        FORWARDED_HEADERS.contains(name)
            || ["openai-", "anthropic-", "x-ratelimit-"]
                .iter()
                .any(|prefix| name.as_str().starts_with(prefix))
    };
    headers
        .iter()
        .filter(|(name, _)| is_forwarded(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The first chunk of a response's body, within the timeout; none if the body is empty.
async fn first_chunk(body: &mut Body, timeout: Duration) -> Result<Option<Bytes>, String> {
    let part = tokio::time::timeout(timeout, async {
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
    part.await.unwrap_or_else(|_| Err(format!("no data within {timeout:?}")))
}
