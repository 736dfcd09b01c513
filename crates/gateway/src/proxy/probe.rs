//! Tests whether a provider can be reached with its configuration.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use loam_kernel::{Error, Result};
use loam_platform::records::redact::excerpt;
use serde::Serialize;
use utoipa::ToSchema;

use super::Proxy;
use super::begin::read_all;
use crate::ai_providers;
use crate::catalog::Provider;

/// A slower provider counts as unreachable.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest list of models accepted.
const MAX_RESPONSE_BYTES: usize = 8 << 20;
/// Characters shown of an error response.
const MAX_ERROR_CHARS: usize = 300;
/// Models shown, and characters of each one's name.
const MAX_MODELS: (usize, usize) = (2000, 200);

/// The result of a provider test.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderTest {
    /// Whether it responded with success.
    pub ok: bool,
    /// The requested URL.
    pub url: String,
    /// HTTP status of its response; null if there was none.
    pub status: Option<u16>,
    /// Milliseconds until the response was complete, including the connection.
    pub latency_ms: f64,
    /// The models it lists; null if it listed none, or its kind has no such list.
    pub models: Option<Vec<String>>,
    /// The error message.
    pub error: Option<String>,
}

impl Proxy {
    /// Sends a free request to a provider, with its first key, whether it is active or not.
    pub(crate) async fn test_provider(&self, row: ai_providers::entity::Model) -> Result<ProviderTest> {
        let provider = self.0.catalog.open(row)?;
        let url = provider.address(provider.wire.probe_path())?;
        let began = Instant::now();
        let outcome = tokio::time::timeout(TIMEOUT, self.probe(&provider, &url)).await;
        let latency_ms = (began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let (status, response) =
            outcome.unwrap_or_else(|_| (None, Err(format!("no response within {TIMEOUT:?}"))));
        let mut models = response.as_ref().ok().and_then(|body| provider.wire.model_ids(body));
        if let Some(models) = &mut models {
            models.truncate(MAX_MODELS.0);
            models.iter_mut().for_each(|name| name.truncate(name.floor_char_boundary(MAX_MODELS.1)));
        }
        // a caller who may test a provider must not thereby read other services' responses, or the key
        let keys = provider.config.api_key.iter().chain(&provider.config.api_keys);
        let keys: Vec<&str> = keys.map(|key| key.as_str()).collect();
        let error = response
            .as_ref()
            .err()
            .map(|message| excerpt(message, MAX_ERROR_CHARS, &keys).replace('\n', " "));
        let url = url.to_string();
        Ok(ProviderTest { ok: response.is_ok(), url, status, latency_ms, models, error })
    }

    async fn probe(&self, provider: &Provider, url: &http::Uri) -> (Option<u16>, Result<Bytes, String>) {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = url.clone();
        for (name, value) in &provider.key(Instant::now()).headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        let response = match self.0.client.send(request, provider.timeouts).await {
            Ok(response) => response,
            Err(e) => return (None, Err(e.to_string())),
        };
        let status = response.status();
        let body = match read_all(&provider.name, response.into_body(), MAX_RESPONSE_BYTES).await {
            Ok(body) => body,
            Err(e) => return (Some(status.as_u16()), Err(e.message().to_owned())),
        };
        let message = |e: Error| e.message().to_owned();
        let is_success = status.is_success();
        let response = if is_success {
            Ok(body)
        } else {
            Err(message(provider.wire.error(&provider.name, status.as_u16(), &body, None)))
        };
        (Some(status.as_u16()), response)
    }
}
