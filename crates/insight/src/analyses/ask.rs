//! Asking a model, through Loam's own gateway.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope};
use serde_json::{Value, json};

use super::prompt;
use super::settings::AnalysisSettings;
use crate::Insight;

/// Bytes of an answer.
const MAX_ANSWER: usize = 1 << 20;

/// What a model said.
pub(super) struct Said {
    pub(super) text: String,
    /// The model, as the provider calls it.
    pub(super) version: Option<String>,
}

/// What calls of models came to.
#[derive(Default)]
pub(super) struct Account {
    pub(super) call: Option<LlmCallId>,
    pub(super) provider: Option<String>,
    pub(super) model: Option<String>,
    pub(super) tokens: Option<i64>,
    pub(super) cost_nano_usd: Option<i64>,
}

impl Insight {
    /// Asks a model. What that took is added to the account, also when no answer came.
    pub(super) async fn ask_model(
        &self,
        scope: &Scope,
        settings: &AnalysisSettings,
        model: &str,
        messages: &[Value],
        account: &mut Account,
    ) -> Result<Said> {
        let plain = json!({
            "model": model, "messages": messages, "max_tokens": settings.max_answer_tokens, "temperature": 0,
        });
        if !settings.structured {
            return self.ask_once(scope, &plain, account).await;
        }
        let mut structured = plain.clone();
        structured["response_format"] = json!({
            "type": "json_schema", "json_schema": { "name": "analysis", "schema": prompt::schema() },
        });
        match self.ask_once(scope, &structured, account).await {
            // not every provider can hold an answer to a schema; it has been told in words as well
            Err(e) if matches!(e.status(), 400 | 422) => self.ask_once(scope, &plain, account).await,
            said => said,
        }
    }

    async fn ask_once(&self, scope: &Scope, request: &Value, account: &mut Account) -> Result<Said> {
        let done = self.0.gateway.complete_chat(scope, None, None, Bytes::from(request.to_string())).await;
        let said = match done.response {
            Ok(answer) => heard(answer).await,
            Err(e) => Err(e),
        };
        if let Some(call) = done.call {
            self.add(scope, call, account).await;
        }
        said
    }

    async fn add(&self, scope: &Scope, id: LlmCallId, account: &mut Account) {
        account.call = Some(id);
        match self.0.gateway.get_call(scope, id).await {
            Ok(call) => {
                let sum = |all: Option<i64>, one: Option<i64>| one.map(|one| all.unwrap_or(0) + one).or(all);
                account.tokens = sum(account.tokens, call.total_tokens);
                account.cost_nano_usd = sum(account.cost_nano_usd, call.cost_nano_usd);
                account.provider = Some(call.provider).filter(|name| !name.is_empty());
                account.model = Some(call.model).filter(|name| !name.is_empty());
            }
            Err(e) => tracing::warn!(llm_call.id = %id, error = %e, "cannot read what an analysis cost"),
        }
    }
}

async fn heard(answer: axum::response::Response) -> Result<Said> {
    let wrong =
        |why: String| Error::new(Kind::BadGateway, "no_analysis", format!("no analysis could be had: {why}"));
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|e| wrong(e.to_string()))?.to_bytes();
    let told: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if !status.is_success() {
        let why = told["error"]["message"].as_str().unwrap_or("the provider said no more");
        let why = format!("the provider answered {}: {}", status.as_u16(), bounded(why));
        return Err(wrong(why).with_status(status.as_u16()));
    }
    let text = match &told["choices"][0]["message"]["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => return Err(wrong("the model said nothing".to_owned())),
    };
    // PostgreSQL can't store a NUL
    let text = text.replace('\0', "\u{fffd}");
    Ok(Said { text, version: told["model"].as_str().map(|name| bounded(name).to_owned()) })
}

fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(500)]
}
