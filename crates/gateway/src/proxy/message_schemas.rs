//! Anthropic's format, for the OpenAPI document: the fields that Loam reads or writes.

#![expect(dead_code, reason = "describes JSON that passes through")]

use std::collections::BTreeMap;

use loam_kernel::JsonObject;
use serde_json::Value;
use utoipa::ToSchema;

/// Anthropic's request for a message, with any of its fields.
#[derive(ToSchema)]
pub(super) struct MessageRequest {
    /// A route or `provider/model`.
    model: String,
    /// Maximum number of generated tokens.
    max_tokens: Option<u64>,
    /// Anthropic's messages.
    messages: Vec<JsonObject>,
    /// Whether to stream the response as events.
    #[serde(default)]
    stream: bool,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Anthropic's message.
#[derive(ToSchema)]
pub(super) struct AnthropicMessage {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    role: String,
    /// The provider's name of the model.
    model: String,
    /// Anthropic's content blocks.
    content: Vec<JsonObject>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    /// Token usage: `input_tokens`, `output_tokens`, ….
    usage: JsonObject,
}

/// A server-sent event of a streamed message. Its data is JSON with the event's name as `type`.
#[derive(ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub(super) enum MessageEvent {
    /// The message without its content.
    MessageStart(MessageStart),
    /// A content block begins.
    ContentBlockStart(ContentBlockStart),
    /// A part of a content block.
    ContentBlockDelta(ContentBlockDelta),
    /// A content block is complete.
    ContentBlockStop(ContentBlockStop),
    /// Why the message ends, and its usage.
    MessageDelta(MessageDelta),
    /// The last event.
    MessageStop(EventType),
    /// Nothing has happened; the connection stays open.
    Ping(EventType),
    /// The last event of a stream that failed.
    Error(AnthropicError),
}

/// The message without its content.
#[derive(ToSchema)]
pub(super) struct MessageStart {
    #[serde(rename = "type")]
    kind: String,
    message: AnthropicMessage,
}

/// A content block begins.
#[derive(ToSchema)]
pub(super) struct ContentBlockStart {
    #[serde(rename = "type")]
    kind: String,
    index: u32,
    /// The block: `text`, `thinking` or `tool_use`.
    content_block: JsonObject,
}

/// A part of a content block.
#[derive(ToSchema)]
pub(super) struct ContentBlockDelta {
    #[serde(rename = "type")]
    kind: String,
    index: u32,
    /// The part: `text_delta`, `thinking_delta` or `input_json_delta`.
    delta: JsonObject,
}

/// A content block is complete.
#[derive(ToSchema)]
pub(super) struct ContentBlockStop {
    #[serde(rename = "type")]
    kind: String,
    index: u32,
}

/// Why the message ends.
#[derive(ToSchema)]
pub(super) struct MessageDelta {
    #[serde(rename = "type")]
    kind: String,
    /// `stop_reason` and `stop_sequence`.
    delta: JsonObject,
    /// Token usage.
    usage: JsonObject,
}

/// Data with nothing but its type.
#[derive(ToSchema)]
pub(super) struct EventType {
    #[serde(rename = "type")]
    kind: String,
}

/// Anthropic's error.
#[derive(ToSchema)]
pub(super) struct AnthropicError {
    /// Always `error`.
    #[serde(rename = "type")]
    kind: String,
    error: AnthropicErrorDetail,
    /// Id of this request in the server's log; not within a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
}

/// The error.
#[derive(ToSchema)]
pub(super) struct AnthropicErrorDetail {
    /// Class of the error: `invalid_request_error`, `rate_limit_error`, ….
    #[serde(rename = "type")]
    kind: String,
    /// Message for people.
    message: String,
}
