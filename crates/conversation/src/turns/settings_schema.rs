//! The settings of a turn, for the OpenAPI document. `session_configs/keys.rs` validates them.

#![expect(dead_code, reason = "describes JSON that passes through")]

use loam_kernel::JsonObject;
use utoipa::ToSchema;

/// Settings of a turn, which override the session's: fields of OpenAI's request. Null removes the session's setting.
#[derive(ToSchema)]
pub(super) struct TurnSettings {
    /// 0 to 2.
    temperature: Option<f64>,
    /// 0 to 1.
    top_p: Option<f64>,
    /// Maximum number of generated tokens.
    max_tokens: Option<u64>,
    /// Maximum number of generated tokens, under its newer name.
    max_completion_tokens: Option<u64>,
    /// Texts at which the model stops.
    stop: Option<StopTexts>,
    /// Seed for reproducible answers.
    seed: Option<i64>,
    /// -2 to 2.
    presence_penalty: Option<f64>,
    /// -2 to 2.
    frequency_penalty: Option<f64>,
    /// `{"type": "text"}`, `json_object` or `json_schema`.
    response_format: Option<JsonObject>,
    /// `none`, `minimal`, `low`, `medium`, `high` or `xhigh`.
    reasoning_effort: Option<String>,
    /// Whether and which tools the model calls.
    tool_choice: Option<ToolChoice>,
    /// Whether the model may call several tools at once.
    parallel_tool_calls: Option<bool>,
}

/// Texts at which the model stops.
#[derive(ToSchema)]
#[serde(untagged)]
enum StopTexts {
    /// One text.
    One(String),
    /// Up to 16 texts.
    Several(Vec<String>),
}

/// Whether and which tools the model calls.
#[derive(ToSchema)]
#[serde(untagged)]
enum ToolChoice {
    /// `none`, `auto` or `required`.
    Mode(String),
    /// A tool, in OpenAI's format.
    Tool(JsonObject),
}
