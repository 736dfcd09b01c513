//! The kind `qwen`: Alibaba Cloud's Model Studio (DashScope) in its OpenAI-compatible mode.
//!
//! Source: Alibaba Cloud's documentation of Model Studio, pages "OpenAI compatible - Chat", "Deep thinking", "Error
//! codes" and "OpenAI compatible - Responses" (alibabacloud.com/help/en/model-studio):
//! - The base URL ends in `/compatible-mode/v1`, one for each region: `dashscope.aliyuncs.com` (Beijing),
//!   `dashscope-intl.aliyuncs.com` (Singapore), `dashscope-us.aliyuncs.com` (Virginia). A key belongs to one region.
//! - `enable_thinking` and `thinking_budget` are fields of the request, reasoning is returned as
//!   `reasoning_content`, and usage in a stream with `stream_options.include_usage`. They are forwarded unchanged.
//!   Open-source models reason by default, and then only in a stream: the provider's error about that reaches the
//!   client.
//! - The responses API has another base URL (`/api/v2/apps/protocols/compatible-mode/v1`): responses are chat
//!   completions, and a provider of kind `openai` with that address forwards them unchanged.
//! - Text completions are those of the page "OpenAI compatible - Completions": Qwen's coder models in Beijing. Speech,
//!   images and rankings have APIs of their own at other addresses.
//! - An error is OpenAI's `{"error": {…}}`, or `{"code", "message", "request_id"}` in DashScope's own shape. An account
//!   in arrears gets 400 with the code `Arrearage`, a used-up free quota 403 with `AllocationQuota.FreeTierOnly`.

use std::time::Duration;

use loam_kernel::Error;
use serde_json::{Map, Value};

use crate::openai::{OpenAi, error_from};
use crate::{ChatDialect, Feature};

pub(crate) static QWEN: OpenAi = OpenAi {
    dialect: ChatDialect {
        kind: "qwen",
        max_tokens: "max_tokens",
        resends_reasoning: false,
        apply_reasoning,
    },
    unsupported: &[
        Feature::Documents,
        Feature::Logprobs,
        Feature::Speech,
        Feature::Transcriptions,
        Feature::ImageGeneration,
        Feature::Moderations,
        Feature::Rerank,
    ],
    has_responses: false,
    has_completions: |_| true,
    error,
    fit: |_, _, _, _| {},
};

/// Error codes for an account without credit, sent with statuses that mean something else.
const OUT_OF_CREDIT: [&str; 2] = ["Arrearage", "AllocationQuota.FreeTierOnly"];

fn apply_reasoning(thinking: Option<&Value>, _effort: Option<&str>, chat: &mut Map<String, Value>) {
    let Some(thinking) = thinking else { return };
    chat.insert("enable_thinking".to_owned(), (thinking["type"] != "disabled").into());
    if let Some(budget) = thinking["budget_tokens"].as_u64() {
        chat.insert("thinking_budget".to_owned(), budget.into());
    }
}

fn error(provider: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Error {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = json["error"]["code"].as_str().or_else(|| json["code"].as_str()).unwrap_or_default();
    let status = if OUT_OF_CREDIT.contains(&code) { 402 } else { status };
    error_from(provider, status, body, retry_after)
}
