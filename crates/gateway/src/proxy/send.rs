//! Asking the provider.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use loam_http::client::{Body, SendError};
use loam_kernel::{Error, Kind};
use loam_providers::Endpoint;

use super::call::Call;
use crate::llm_calls::Attempt;
use crate::service::Inner;

/// Headers of an answer that go on to the client, besides those that begin with `openai-` or `x-ratelimit-`.
const PASSED: [HeaderName; 2] = [CONTENT_TYPE, RETRY_AFTER];

impl Inner {
    /// Sends the request, and notes the try in the call's record.
    pub(super) async fn ask(&self, call: &mut Call) -> Result<Response<Body>, Error> {
        let provider = &call.provider;
        let uri = match call.endpoint {
            Endpoint::ChatCompletions => provider.chat_uri.clone(),
            Endpoint::Embeddings => provider.embeddings_uri.clone(),
        };
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if call.stream { "text/event-stream" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        for (name, value) in &provider.headers {
            headers.insert(name.clone(), value.clone());
        }
        let began = Instant::now();
        let answer = self.client.send(request, provider.timeouts).await;
        let record = &mut call.open.record;
        record.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        record.attempts.push(Attempt {
            target: format!("{}/{}", record.provider, record.model),
            status: record.status,
            duration_ms: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            error: answer.as_ref().err().map(ToString::to_string),
        });
        answer.map_err(|e| unreachable(&call.provider.name, e))
    }
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

/// Reads a whole body, of at most `max` bytes.
pub(super) async fn read_all(provider: &str, body: Body, max: usize) -> Result<Bytes, Error> {
    let broken = |e: Box<dyn std::error::Error + Send + Sync>| {
        let message = format!("provider `{provider}` broke off its answer: {e}");
        Error::new(Kind::BadGateway, "provider_broke_off", message).with_source(e)
    };
    Limited::new(body, max).collect().await.map(http_body_util::Collected::to_bytes).map_err(broken)
}

/// The provider's `Retry-After`, when it is given in seconds.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<f64>().ok()?;
    (0.0..86_400.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds.ceil()))
}

/// The headers of an answer that go on to the client.
pub(super) fn passed(headers: &HeaderMap) -> HeaderMap {
    let passes = |name: &HeaderName| {
        PASSED.contains(name)
            || name.as_str().starts_with("openai-")
            || name.as_str().starts_with("x-ratelimit-")
    };
    headers
        .iter()
        .filter(|(name, _)| passes(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
