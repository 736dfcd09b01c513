//! Sends a request to one provider once.

use std::sync::Arc;
use std::time::Instant;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request};
use http_body_util::Full;
use loam_http::client::{Body, retry_after};
use loam_providers::openai::ChatOutput;
use loam_providers::{
    CompleteResponse, Endpoint, Forward, ProviderRequest, Reader, ReportedError, ResponseError, bytes_reader,
};

use super::Proxy;
use super::begin::{Beginning, begin, late, next_chunk, read_body};
use super::call::Call;
use super::failure::{CallError, Failure, FailureKind, deadline_exceeded, interrupted};
use super::response_cache::ResponseHead;
use crate::catalog::{Destination, Key, Provider};
use crate::llm_calls::Attempt;

/// Tells clients of OpenAI and Anthropic whether to repeat a failed call.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Headers of a response, or of an error, that are forwarded to the client, besides those that start with one of
/// [`FORWARDED_PREFIXES`].
const FORWARDED_HEADERS: [HeaderName; 4] =
    [CONTENT_TYPE, RETRY_AFTER, HeaderName::from_static("retry-after-ms"), SHOULD_RETRY];
const FORWARDED_PREFIXES: [&str; 3] = ["openai-", "anthropic-", "x-ratelimit-"];

/// A successful response.
pub(super) enum ProviderResponse {
    /// A complete response, and what it says if the caller takes that.
    Complete { head: ResponseHead, response: CompleteResponse, output: Option<Box<ChatOutput>> },
    /// A stream, and what can be forwarded of the part that has arrived.
    Stream { head: ResponseHead, first: Forward, body: Body, reader: Box<dyn Reader> },
}

impl Proxy {
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
        let outcome = outcome
            .unwrap_or_else(|| Err(Failure::new(deadline_exceeded(call), FailureKind::DeadlineExceeded)));
        let record = &mut call.open.record;
        record.attempts.push(Attempt {
            target: format!("{}/{}", destination.provider.name, destination.model),
            status: record.status,
            duration_ms: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            error: outcome.as_ref().err().map(|failure| failure.error.error.message().to_owned()),
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
        let unusable = |error| Failure::new(error, FailureKind::Destination);
        let provider_request = ProviderRequest {
            endpoint: call.endpoint,
            envelope: &call.envelope,
            body: &call.request,
            model: &destination.model,
            betas: &call.betas,
            call: call.open.record.id,
            previous_response: call.previous_response.as_deref(),
        };
        let outgoing = provider.wire.outgoing(&provider.config, &provider_request).map_err(unusable)?;
        call.open.record.note_omitted(&outgoing.omitted);
        let mut reader = provider.wire.reader(&provider.config, &provider_request);
        if call.keeps_output {
            reader.keep_output();
        }
        let mut request = Request::new(Full::new(outgoing.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = provider.uri(call.endpoint, &outgoing).map_err(unusable)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = match call.endpoint {
            _ if call.envelope.stream => "text/event-stream",
            // audio, and transcripts as text
            Endpoint::Speech | Endpoint::Transcriptions => "*/*",
            _ => "application/json",
        };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        for (name, value) in outgoing.headers.iter().chain(&key.headers) {
            headers.insert(name.clone(), value.clone());
        }
        let route = call.plan.route();
        let timeouts = route.map_or(provider.timeouts, |route| route.timeouts.over(provider.timeouts));
        let sent_at = Instant::now();
        let response = self.0.client.send(request, timeouts).await;
        call.open.record.status = response.as_ref().ok().map(|response| response.status().as_u16());
        let response = response.map_err(|e| Failure::unanswered(&provider.name, e))?;
        let (parts, mut body) = response.into_parts();
        let mut head = ResponseHead { status: parts.status, headers: forwarded_headers(&parts.headers) };
        let timeout = timeouts.first_byte.saturating_sub(sent_at.elapsed());
        let broke_off = |why: String| Failure::transient(interrupted(&provider.name, &why));
        let responded_with =
            |status: u16, body: &[u8]| self.provider_error(provider, status, body, &parts.headers);
        let is_success = parts.status.is_success();
        if is_success && call.endpoint.returns_bytes() && !is_text(&parts.headers) {
            let read = tokio::time::timeout(timeout, next_chunk(&mut body)).await;
            let first = read.unwrap_or_else(|_| Err(late(timeout))).map_err(broke_off)?;
            let Some(now) = first else { return Err(broke_off("it is empty".to_owned())) };
            call.mark_first_byte();
            let reader = bytes_reader(call.envelope.quantity);
            return Ok(ProviderResponse::Stream { head, first: Forward { now, last: None }, body, reader });
        }
        let may_stream = call.envelope.stream || call.endpoint.returns_bytes();
        let read = if is_success && may_stream && is_events(&parts.headers) {
            match begin(&mut body, timeout, &mut *reader).await.map_err(broke_off)? {
                Beginning::Stream(first) => {
                    call.mark_first_byte();
                    return Ok(ProviderResponse::Stream { head, first, body, reader });
                }
                Beginning::Error(ReportedError { status, body, .. }) => {
                    return Err(responded_with(status, body.as_bytes()));
                }
                // some servers label every response to such a request as a stream
                Beginning::Complete(body) => {
                    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                    body
                }
            }
        } else {
            read_body(body, timeout, self.0.config.max_answer_bytes).await.map_err(broke_off)?
        };
        if !is_success {
            return Err(responded_with(parts.status.as_u16(), &read));
        }
        let response = reader.read_complete(read).map_err(|e| match e {
            ResponseError::Reported(error) => responded_with(error.status, error.body.as_bytes()),
            ResponseError::Invalid(error) => Failure::transient(error),
        })?;
        call.mark_first_byte();
        let output = reader.output().map(|output| Box::new(std::mem::take(output)));
        Ok(ProviderResponse::Complete { head, response, output })
    }

    /// The failure of an attempt to which the provider responded with an error, by its status or despite it.
    fn provider_error(&self, provider: &Provider, status: u16, body: &[u8], headers: &HeaderMap) -> Failure {
        let after = retry_after(headers, self.0.clock.now());
        let error = provider.wire.error(&provider.name, status, body, after);
        let mut headers = forwarded_headers(headers);
        // the error has another body
        headers.remove(CONTENT_TYPE);
        let kind = FailureKind::of_status(status);
        if kind == (FailureKind::Key { transient: false }) {
            // clients repeat calls that failed with a status of the server
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        Failure { error: CallError { error, headers }, kind }
    }
}

/// Whether the content type begins so.
fn has_type(headers: &HeaderMap, wanted: &str) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes().trim_ascii_start());
    kind.and_then(|kind| kind.get(..wanted.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(wanted.as_bytes()))
}

fn is_events(headers: &HeaderMap) -> bool {
    has_type(headers, "text/event-stream")
}

fn is_text(headers: &HeaderMap) -> bool {
    has_type(headers, "text/") || has_type(headers, "application/json")
}

/// The headers of a response that are forwarded to the client.
fn forwarded_headers(headers: &HeaderMap) -> HeaderMap {
    let is_forwarded = |name: &HeaderName| {
        FORWARDED_HEADERS.contains(name)
            || FORWARDED_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
    };
    headers
        .iter()
        .filter(|(name, _)| is_forwarded(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
