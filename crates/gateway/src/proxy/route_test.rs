//! Tests a route by one minimal call.

use std::time::{Duration, Instant};

use bytes::Bytes;
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Proxy;

/// A slower response counts as none.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum size of the response.
const MAX_BYTES: usize = 1 << 20;

/// The result of a route test.
#[derive(Debug, Serialize, ToSchema)]
pub struct RouteTest {
    /// Whether a target responded with success.
    ok: bool,
    /// The call, with its attempts, tokens and cost; null if it was not recorded. It can be read within a second.
    call_id: Option<LlmCallId>,
    /// Milliseconds until the response was complete, with all attempts.
    latency_ms: f64,
    /// The model that the provider names in its response.
    model: Option<String>,
    /// Error code, as of the gateway's responses.
    error_code: Option<String>,
    /// The error message.
    error: Option<String>,
}

impl Proxy {
    /// Makes the smallest chat completion with a route, as the caller: it is recorded, costs, and counts against limits.
    pub(crate) async fn test_route(&self, scope: &Scope, alias: &str) -> Result<RouteTest> {
        // a cached response would test nothing
        let nonce: LlmCallId = self.0.clock.id();
        let request = json!({
            "model": alias,
            "messages": [{ "role": "user", "content": format!("Answer with OK. Test {nonce}") }],
            "max_tokens": 1,
        });
        let request = Bytes::from(serde_json::to_vec(&request).map_err(Error::internal)?);
        let began = Instant::now();
        let call = async {
            let (call, stream) = self.stream_chat(scope, None, None, request, MAX_BYTES).await;
            let ended = match stream {
                Ok(stream) => stream.text().await.map(|(_, end)| end.model),
                Err(e) => Err(e),
            };
            (call, ended)
        };
        let (call_id, ended) =
            tokio::time::timeout(TIMEOUT, call).await.unwrap_or_else(|_| (None, Err(late())));
        let latency_ms = (began.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        let (model, error) = match ended {
            Ok(model) => (model, None),
            Err(e) => (None, Some(e)),
        };
        let error_code = error.as_ref().map(|e| e.code().to_owned());
        let ok = error.is_none();
        Ok(RouteTest {
            ok,
            call_id,
            latency_ms,
            model,
            error_code,
            error: error.map(|e| e.message().to_owned()),
        })
    }
}

fn late() -> Error {
    Error::new(Kind::Timeout, "route_timeout", format!("no response within {TIMEOUT:?}"))
}
