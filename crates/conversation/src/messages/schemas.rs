//! The shape of content that is stored as JSON, for the OpenAPI document. `content.rs` validates it.

#![expect(dead_code, reason = "describes JSON that passes through")]

use serde::Serialize;
use utoipa::ToSchema;

use crate::tools::ToolKind;

/// Content of a message: a text, or a list of content parts.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum MessageContent {
    /// A text.
    Text(String),
    /// Content parts.
    Parts(Vec<ContentPart>),
}

/// A content part, in OpenAI's format.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ContentPart {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// An image; only for role `user`.
    ImageUrl {
        /// The image.
        image_url: ImageUrl,
    },
    /// An audio recording; only for role `user`.
    InputAudio {
        /// The recording.
        input_audio: InputAudio,
    },
    /// A file; only for role `user`.
    File {
        /// The file.
        file: FileContent,
    },
}

/// An image.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImageUrl {
    /// An `https`, `http` or `data:image/…` URL.
    url: String,
    /// Resolution at which the model sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<ImageDetail>,
}

/// Resolution at which a model sees an image.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ImageDetail {
    /// The model chooses.
    Auto,
    /// Low.
    Low,
    /// High.
    High,
}

/// An audio recording.
#[derive(Serialize, ToSchema)]
pub(crate) struct InputAudio {
    /// The recording in base64.
    data: String,
    /// Its format.
    format: AudioFormat,
}

/// Formats of audio recordings.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AudioFormat {
    /// WAV.
    Wav,
    /// MP3.
    Mp3,
}

/// A file: either `file_id` or `file_data`.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileContent {
    /// ID of a file that was uploaded to the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    file_id: Option<String>,
    /// The file as a `data:` URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    file_data: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    filename: Option<String>,
}

/// A tool call requested by the model, in OpenAI's format.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChatToolCall {
    /// ID assigned by the model; send it back with the result.
    pub(crate) id: String,
    /// Always `function`.
    #[serde(rename = "type")]
    pub(crate) kind: ToolKind,
    /// The function to call.
    pub(crate) function: CalledFunction,
}

/// A called function.
#[derive(Serialize, ToSchema)]
pub(crate) struct CalledFunction {
    /// Name of the function.
    pub(crate) name: String,
    /// Arguments as JSON, as the model wrote them.
    pub(crate) arguments: String,
}
