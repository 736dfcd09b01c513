//! The format of OpenAI's responses, for the OpenAPI document: the fields that Loam reads or writes. Requests pass
//! through, so that every other field of theirs is allowed too.

#![expect(dead_code, reason = "describes JSON that passes through")]

use std::collections::BTreeMap;

use loam_kernel::{JsonObject, JsonValue};
use serde_json::Value;
use utoipa::ToSchema;

/// OpenAI's request for a response, with any of its fields.
#[derive(ToSchema)]
pub(super) struct ResponseRequest {
    /// A route or `provider/model`.
    model: String,
    /// A text, or OpenAI's input items.
    input: JsonValue,
    /// Whether to stream the response as events.
    #[serde(default)]
    stream: bool,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// OpenAI's response, with any of its fields.
#[derive(ToSchema)]
pub(super) struct ResponseObject {
    /// `resp_loam_…` if Loam translated it, and so can continue it with `previous_response_id`; else the provider's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<String>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_at: Option<f64>,
    /// `completed`; `incomplete`, for the reason in `incomplete_details`; `failed`, for that in `error`; `in_progress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<String>,
    /// `{"reason": "max_output_tokens"}` or `{"reason": "content_filter"}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    incomplete_details: Option<JsonValue>,
    /// `code` and `message` of what failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<JsonValue>,
    /// The provider's name of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    model: Option<String>,
    /// OpenAI's items: `message`, `reasoning`, `function_call`, `custom_tool_call`, and those of the provider's own tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    output: Option<Vec<JsonObject>>,
    /// Token usage: `input_tokens`, `output_tokens`, `total_tokens`, `input_tokens_details.cached_tokens`,
    /// `output_tokens_details.reasoning_tokens`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    usage: Option<JsonValue>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// A server-sent event of a streamed response. Its data is JSON with the event's name as `type`.
#[derive(ToSchema)]
pub(super) struct ResponseEvent {
    /// The name of the event. Of a translated response in this order: `response.created`, `response.in_progress`; for
    /// each item `response.output_item.added`, its parts, and `response.output_item.done`; at last
    /// `response.completed`, `response.incomplete` or `response.failed`.
    ///
    /// The parts of a message are `response.content_part.added`, `response.output_text.delta`,
    /// `response.output_text.done` and `response.content_part.done`; those of reasoning
    /// `response.reasoning_summary_part.added`, `response.reasoning_summary_text.delta`,
    /// `response.reasoning_summary_text.done` and `response.reasoning_summary_part.done`; those of a call
    /// `response.function_call_arguments.delta` and `….done`, or `response.custom_tool_call_input.delta` and `….done`.
    ///
    /// A provider that has this endpoint sends its own events too, and `error` if it fails.
    event: String,
    data: ResponseEventData,
}

/// Data of an event: the fields of its type, and any others.
#[derive(ToSchema)]
pub(super) struct ResponseEventData {
    /// The event's name.
    #[serde(rename = "type")]
    kind: String,
    /// Counts the events, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sequence_number: Option<u64>,
    /// The response so far: of `response.created`, `.in_progress`, `.completed`, `.incomplete` and `.failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    response: Option<ResponseObject>,
    /// The index of the item in `output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    output_index: Option<u64>,
    /// The item: of `response.output_item.added` and `.done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    item: Option<JsonObject>,
    /// The id of the item that a part or a delta belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    item_id: Option<String>,
    /// The index of the part in the item's `content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    content_index: Option<u64>,
    /// The index of the part in the item's `summary`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    summary_index: Option<u64>,
    /// The part: of `response.content_part.added` and `.done`, and those of a reasoning summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    part: Option<JsonObject>,
    /// What is added: of events that end in `.delta`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    delta: Option<JsonValue>,
    /// The complete text: of `response.output_text.done` and `response.reasoning_summary_text.done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    text: Option<String>,
    /// The complete arguments: of `response.function_call_arguments.done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    arguments: Option<String>,
    /// The complete input: of `response.custom_tool_call_input.done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    input: Option<String>,
    /// The code of an `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<JsonValue>,
    /// The message of an `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}
