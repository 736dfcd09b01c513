//! Calls a model through Loam's own gateway.

use bytes::Bytes;
use loam_gateway::ChatStream;
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope, truncate_bytes};
use serde_json::{Value, json};

use super::prompt;
use super::settings::AnalysisSettings;
use crate::analyses::Analyses;

/// Maximum size of a response, in bytes.
const MAX_RESPONSE: usize = 1 << 20;

/// A model's response.
pub(super) struct ModelResponse {
    pub(super) text: String,
    /// Name of the model in the provider's response.
    pub(super) version: Option<String>,
}

/// Tokens and cost of the model calls of an analysis.
#[derive(Default)]
pub(super) struct ModelUsage {
    pub(super) call: Option<LlmCallId>,
    pub(super) provider: Option<String>,
    pub(super) model: Option<String>,
    pub(super) tokens: Option<i64>,
    pub(super) cost_nano_usd: Option<i64>,
}

impl Analyses {
    /// Calls a model. Tokens and cost are added to `usage`, even if the call fails.
    pub(super) async fn call_model(
        &self,
        scope: &Scope,
        settings: &AnalysisSettings,
        model: &str,
        messages: &[Value],
        usage: &mut ModelUsage,
    ) -> Result<ModelResponse> {
        let plain = json!({
            "model": model, "messages": messages, "max_tokens": settings.max_answer_tokens, "temperature": 0,
        });
        if !settings.structured {
            return self.call_once(scope, &plain, usage).await;
        }
        let mut structured = plain.clone();
        structured["response_format"] = json!({
            "type": "json_schema", "json_schema": { "name": "analysis", "schema": prompt::schema() },
        });
        match self.call_once(scope, &structured, usage).await {
            // not every provider supports `response_format`; the prompt contains the schema as well
            Err(e) if matches!(e.status(), 400 | 422) => self.call_once(scope, &plain, usage).await,
            result => result,
        }
    }

    async fn call_once(
        &self,
        scope: &Scope,
        request: &Value,
        usage: &mut ModelUsage,
    ) -> Result<ModelResponse> {
        let request = Bytes::from(request.to_string());
        let (call, stream) =
            self.0.gateway.proxy().stream_chat(scope, None, None, request, MAX_RESPONSE).await;
        let result = match stream {
            Ok(stream) => read(stream).await,
            Err(e) => Err(e),
        };
        if let Some(call) = call {
            self.add_usage(scope, call, usage).await;
        }
        result
    }

    async fn add_usage(&self, scope: &Scope, id: LlmCallId, usage: &mut ModelUsage) {
        usage.call = Some(id);
        match self.0.gateway.get_call(scope, id).await {
            Ok(call) => {
                let sum = |all: Option<i64>, one: Option<i64>| one.map(|one| all.unwrap_or(0) + one).or(all);
                usage.tokens = sum(usage.tokens, call.total_tokens);
                usage.cost_nano_usd = sum(usage.cost_nano_usd, call.cost_nano_usd);
                usage.provider = Some(call.provider).filter(|name| !name.is_empty());
                usage.model = Some(call.model).filter(|name| !name.is_empty());
            }
            Err(e) => tracing::warn!(llm_call.id = %id, error = %e, "cannot read the cost of an analysis"),
        }
    }
}

async fn read(stream: ChatStream) -> Result<ModelResponse> {
    let failed =
        |reason: &str| Error::new(Kind::BadGateway, "no_analysis", format!("the analysis failed: {reason}"));
    let (text, end) = stream.text().await.map_err(|e| failed(e.message()))?;
    if text.is_empty() {
        return Err(failed("the model's response has no content"));
    }
    Ok(ModelResponse { text, version: end.model.map(|name| truncate_bytes(&name, 500).to_owned()) })
}
