//! Whether a provider can be reached, as its configuration stands.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use loam_kernel::{AiProviderId, Error, Result, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::send::read_all;
use crate::Gateway;
use crate::catalog::Provider;

/// A provider that takes longer is called unreachable.
const PATIENCE: Duration = Duration::from_secs(10);
/// No list of models is larger.
const MAX_ANSWER: usize = 8 << 20;

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
        let models = answer.as_ref().ok().and_then(|body| provider.wire.model_ids(body));
        let url = url.to_string();
        Ok(ProviderTest { ok: answer.is_ok(), url, status, latency_ms, models, error: answer.err() })
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
