//! Calls a model through Loam's own gateway.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope, truncate_bytes};
use serde_json::{Value, json};

use super::prompt;
use super::settings::AnalysisSettings;
use crate::Insight;

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

impl Insight {
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
        let completed =
            self.0.gateway.complete_chat(scope, None, None, Bytes::from(request.to_string())).await;
        let result = match completed.response {
            Ok(response) => parse_response(response).await,
            Err(e) => Err(e),
        };
        if let Some(call) = completed.call {
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

async fn parse_response(response: axum::response::Response) -> Result<ModelResponse> {
    let failed = |reason: String| {
        Error::new(Kind::BadGateway, "no_analysis", format!("the analysis failed: {reason}"))
    };
    let status = response.status();
    let bytes = Limited::new(response.into_body(), MAX_RESPONSE).collect().await;
    let bytes = bytes.map_err(|e| failed(e.to_string()))?.to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    if !status.is_success() {
        let reason = body["error"]["message"].as_str().unwrap_or("the provider gave no reason");
        let reason =
            format!("the provider responded with {}: {}", status.as_u16(), truncate_bytes(reason, 500));
        return Err(failed(reason).with_status(status.as_u16()));
    }
    let text = match &body["choices"][0]["message"]["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => return Err(failed("the model's response has no content".to_owned())),
    };
    // PostgreSQL cannot store NUL characters
    let text = text.replace('\0', "\u{fffd}");
    Ok(ModelResponse {
        text,
        version: body["model"].as_str().map(|name| truncate_bytes(name, 500).to_owned()),
    })
}
