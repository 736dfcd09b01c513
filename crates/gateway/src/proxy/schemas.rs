//! The formats of OpenAI and Anthropic, for the OpenAPI document: the fields that Loam reads or writes. Requests pass through, so
//! that every other field of theirs is allowed too.

#![expect(dead_code, reason = "describes JSON that passes through")]

use std::collections::BTreeMap;

use loam_kernel::{JsonObject, JsonValue};
use serde_json::Value;
use utoipa::ToSchema;

/// OpenAI's request for a chat completion, with any of its fields.
#[derive(ToSchema)]
pub(super) struct ChatCompletionRequest {
    /// A route or `provider/model`.
    model: String,
    /// OpenAI's messages.
    messages: Vec<JsonObject>,
    /// Whether to stream the response as events.
    #[serde(default)]
    stream: bool,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// OpenAI's chat completion.
#[derive(ToSchema)]
pub(super) struct ChatCompletion {
    id: String,
    object: String,
    /// Seconds since 1970.
    created: i64,
    /// The provider's name of the model.
    model: String,
    choices: Vec<ChatCompletionChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    usage: Option<CompletionUsage>,
}

/// A choice of a chat completion.
#[derive(ToSchema)]
pub(super) struct ChatCompletionChoice {
    index: u32,
    /// OpenAI's message.
    message: JsonObject,
    finish_reason: Option<String>,
}

/// Token usage.
#[derive(ToSchema)]
pub(super) struct CompletionUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

/// A server-sent event of a streamed chat completion; the last one has the data `[DONE]`.
#[derive(ToSchema)]
pub(super) struct ChatCompletionEvent {
    data: ChatCompletionEventData,
}

/// Data of an event: JSON, or the text `[DONE]`.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum ChatCompletionEventData {
    /// A part of the completion.
    Chunk(ChatCompletionChunk),
    /// An error after the stream has begun.
    Error(StreamError),
    /// `[DONE]`.
    Done(String),
}

/// A part of a chat completion.
#[derive(ToSchema)]
pub(super) struct ChatCompletionChunk {
    id: String,
    object: String,
    created: i64,
    model: String,
    choices: Vec<ChatCompletionChunkChoice>,
    /// In the last chunk, if `stream_options.include_usage` requests it.
    usage: Option<CompletionUsage>,
}

/// A part of a choice.
#[derive(ToSchema)]
pub(super) struct ChatCompletionChunkChoice {
    index: u32,
    /// What is added to the message: `role`, `content`, `reasoning_content`, `tool_calls`.
    delta: JsonObject,
    finish_reason: Option<String>,
}

/// An error within a stream.
#[derive(ToSchema)]
pub(super) struct StreamError {
    error: StreamErrorDetail,
}

/// The error within a stream.
#[derive(ToSchema)]
pub(super) struct StreamErrorDetail {
    message: String,
    #[serde(rename = "type")]
    kind: String,
    code: Option<String>,
    param: Option<String>,
}

/// OpenAI's request for a text completion, with any of its fields.
#[derive(ToSchema)]
pub(super) struct CompletionRequest {
    /// A route or `provider/model`.
    model: String,
    /// A text or a list of texts; for providers that have this endpoint also tokens.
    prompt: JsonValue,
    /// Whether to stream the response as events.
    #[serde(default)]
    stream: bool,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// OpenAI's text completion, or a part of it in a stream.
#[derive(ToSchema)]
pub(super) struct TextCompletion {
    id: String,
    object: String,
    /// Seconds since 1970.
    created: i64,
    /// The provider's name of the model.
    model: String,
    choices: Vec<TextChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    usage: Option<CompletionUsage>,
}

/// A choice of a text completion.
#[derive(ToSchema)]
pub(super) struct TextChoice {
    index: u32,
    text: String,
    finish_reason: Option<String>,
}

/// A server-sent event of a streamed text completion; the last one has the data `[DONE]`.
#[derive(ToSchema)]
pub(super) struct TextCompletionEvent {
    data: TextCompletionEventData,
}

/// Data of an event: JSON, or the text `[DONE]`.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum TextCompletionEventData {
    /// A part of the completion.
    Part(TextCompletion),
    /// An error after the stream has begun.
    Error(StreamError),
    /// `[DONE]`.
    Done(String),
}

/// OpenAI's request for embeddings, with any of its fields.
#[derive(ToSchema)]
pub(super) struct EmbeddingRequest {
    /// A route or `provider/model`.
    model: String,
    /// A text, or a list of texts or tokens.
    input: JsonValue,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// OpenAI's embeddings.
#[derive(ToSchema)]
pub(super) struct EmbeddingList {
    object: String,
    /// OpenAI's embeddings: `index`, and `embedding` as numbers or base64.
    data: Vec<JsonObject>,
    model: String,
    /// Token usage.
    usage: JsonObject,
}
