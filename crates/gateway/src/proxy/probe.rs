//! Whether a provider can be reached, as its configuration stands.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use loam_kernel::{AiProviderId, Error, Result, Scope};
use loam_platform::records::redact::excerpt;
use serde::Serialize;
use utoipa::ToSchema;

use super::send::read_all;
use crate::Gateway;
use crate::catalog::Provider;

/// A provider that takes longer is called unreachable.
const PATIENCE: Duration = Duration::from_secs(10);
/// No list of models is larger.
const MAX_ANSWER: usize = 8 << 20;
/// Characters that are shown of an answer that isn't one.
const MAX_SHOWN: usize = 300;
/// Models that are shown, and characters of each one's name.
const MAX_MODELS: (usize, usize) = (2000, 200);

/// What came of testing a provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderTest {
    /// Whether it answered well.
    pub ok: bool,
    /// What was asked.
    pub url: String,
    /// HTTP status of its answer; null when there was none.
    pub status: Option<u16>,
    /// Milliseconds until the answer was there, the connection included.
    pub latency_ms: f64,
    /// The models it says it has; null when it didn't say, or has no such list.
    pub models: Option<Vec<String>>,
    /// What went wrong.
    pub error: Option<String>,
}

impl Gateway {
    /// Asks a provider what costs nothing, with its first key, whether it is active or not.
    pub async fn test_provider(&self, scope: &Scope, id: AiProviderId) -> Result<ProviderTest> {
        let row = self.get_provider(scope, id).await?;
        let provider = self.0.catalog.open(row)?;
        let url = provider.address(provider.wire.probe_path())?;
        let began = Instant::now();
        let asked = tokio::time::timeout(PATIENCE, self.ask_plainly(&provider, &url)).await;
        let latency_ms = (began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let (status, answer) =
            asked.unwrap_or_else(|_| (None, Err(format!("no answer within {PATIENCE:?}"))));
        let mut models = answer.as_ref().ok().and_then(|body| provider.wire.model_ids(body));
        if let Some(models) = &mut models {
            models.truncate(MAX_MODELS.0);
            models.iter_mut().for_each(|name| name.truncate(name.floor_char_boundary(MAX_MODELS.1)));
        }
        // whoever may test a provider may not thereby read what else answers there, nor the key
        let sent = provider.config.api_key.iter().chain(&provider.config.api_keys);
        let sent: Vec<&str> = sent.map(|key| key.as_str()).collect();
        let error = answer.as_ref().err().map(|said| excerpt(said, MAX_SHOWN, &sent).replace('\n', " "));
        let url = url.to_string();
        Ok(ProviderTest { ok: answer.is_ok(), url, status, latency_ms, models, error })
    }

    async fn ask_plainly(
        &self,
        provider: &Provider,
        url: &http::Uri,
    ) -> (Option<u16>, Result<Bytes, String>) {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = url.clone();
        for (name, value) in &provider.key(Instant::now()).headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        let answer = match self.0.client.send(request, provider.timeouts).await {
            Ok(answer) => answer,
            Err(e) => return (None, Err(e.to_string())),
        };
        let status = answer.status();
        let body = match read_all(&provider.name, answer.into_body(), MAX_ANSWER).await {
            Ok(body) => body,
            Err(e) => return (Some(status.as_u16()), Err(e.message().to_owned())),
        };
        let said = |e: Error| e.message().to_owned();
        let good = status.is_success();
        let answer = if good {
            Ok(body)
        } else {
            Err(said(provider.wire.error(&provider.name, status.as_u16(), &body, None)))
        };
        (Some(status.as_u16()), answer)
    }
}
