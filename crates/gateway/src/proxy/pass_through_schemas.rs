//! The formats of the endpoints that are passed through, for the OpenAPI document: the fields that Loam reads.

#![expect(dead_code, reason = "describes requests and responses that pass through")]

use std::collections::BTreeMap;

use loam_kernel::{JsonObject, JsonValue};
use serde_json::Value;
use utoipa::ToSchema;

/// OpenAI's request for speech, with any of its fields.
#[derive(ToSchema)]
pub(super) struct SpeechRequest {
    /// A route or `provider/model`.
    model: String,
    /// The text to be spoken.
    input: String,
    /// The provider's name of the voice.
    voice: JsonValue,
    /// `sse` for events; else the audio is sent as it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    stream_format: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// OpenAI's request for a transcription, with any of its fields.
#[derive(ToSchema)]
pub(super) struct TranscriptionForm {
    /// A route or `provider/model`.
    model: String,
    /// The audio.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// `json`, or another format that the provider has; `text`, `srt` and `vtt` are texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    response_format: Option<String>,
    /// Whether to stream the response as events.
    #[serde(default)]
    stream: bool,
}

/// OpenAI's transcription.
#[derive(ToSchema)]
pub(super) struct Transcription {
    text: String,
    /// Tokens, or the duration in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    usage: Option<JsonObject>,
}

/// OpenAI's request for images, with any of its fields.
#[derive(ToSchema)]
pub(super) struct ImageRequest {
    /// A route or `provider/model`.
    model: String,
    prompt: String,
    /// The number of images.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    n: Option<u64>,
    /// Whether to stream the response as events.
    #[serde(default)]
    stream: bool,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// OpenAI's images.
#[derive(ToSchema)]
pub(super) struct ImageList {
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created: Option<i64>,
    /// OpenAI's images: `url` or `b64_json`.
    data: Vec<JsonObject>,
    /// Token usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    usage: Option<JsonObject>,
}

/// A server-sent event of a stream: JSON with a `type`, which names what it holds.
#[derive(ToSchema)]
pub(super) struct EndpointEvent {
    data: JsonObject,
}

/// OpenAI's request for a moderation, with any of its fields.
#[derive(ToSchema)]
pub(super) struct ModerationRequest {
    /// A route or `provider/model`.
    model: String,
    /// A text, a list of texts, or a list of OpenAI's parts.
    input: JsonValue,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// OpenAI's moderation.
#[derive(ToSchema)]
pub(super) struct Moderation {
    id: String,
    /// The provider's name of the model.
    model: String,
    /// For each input: `flagged`, `categories`, `category_scores`.
    results: Vec<JsonObject>,
}

/// A request for a ranking, with any of the provider's fields.
#[derive(ToSchema)]
pub(super) struct RerankRequest {
    /// A route or `provider/model`.
    model: String,
    query: JsonValue,
    /// The documents to be ranked, as the provider accepts them: texts, or objects.
    documents: Vec<JsonValue>,
    /// How many of the best documents to return.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    top_n: Option<u64>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// A ranking, with any of the provider's fields.
#[derive(ToSchema)]
pub(super) struct Ranking {
    /// The best documents first: `index`, `relevance_score`.
    results: Vec<JsonObject>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}
