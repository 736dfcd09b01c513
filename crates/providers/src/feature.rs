//! Features that a kind of provider may not support, so that a request for one is rejected instead of silently
//! ignored.

use loam_kernel::{Error, Kind};

use crate::Endpoint;

/// A feature that a client may request and that not every kind of provider supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// `POST /v1/embeddings`.
    Embeddings,
    /// `POST /v1/audio/speech`.
    Speech,
    /// `POST /v1/audio/transcriptions`.
    Transcriptions,
    /// `POST /v1/images/generations`.
    ImageGeneration,
    /// `POST /v1/moderations`.
    Moderations,
    /// `POST /v1/rerank`.
    Rerank,
    /// Images in a message.
    Images,
    /// Images embedded in the request as base64, rather than referenced by URL.
    ImageData,
    /// Documents in a message.
    Documents,
    /// Audio input or output.
    Audio,
    /// Tools run by the client.
    Tools,
    /// Tools run by the provider.
    ServerTools,
    /// Choosing which tool is called, or that none is.
    ToolChoice,
    /// A response in JSON without a schema.
    JsonObject,
    /// A response that follows a JSON Schema.
    JsonSchema,
    /// More than one choice per request.
    Choices,
    /// Token log probabilities, and a bias on them.
    Logprobs,
    /// Repetition penalties.
    Penalties,
    /// Stop sequences.
    Stop,
    /// A prefilled response.
    Prefill,
    /// A text that follows the one that the model writes.
    Suffix,
    /// Several prompts in one request.
    Prompts,
    /// A prompt of tokens.
    TokenPrompts,
    /// A feature of another provider's own API.
    Native,
}

impl Feature {
    /// The feature's name in error messages.
    fn description(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Speech => "speech",
            Self::Transcriptions => "transcriptions",
            Self::ImageGeneration => "the generation of images",
            Self::Moderations => "moderations",
            Self::Rerank => "rankings of documents",
            Self::Images => "images",
            Self::ImageData => "base64 images, only images referenced by URL",
            Self::Documents => "documents",
            Self::Audio => "audio",
            Self::Tools => "tools",
            Self::ServerTools => "tools run by the provider",
            Self::ToolChoice => "`tool_choice` values other than `auto`",
            Self::JsonObject => "JSON responses without a schema",
            Self::JsonSchema => "responses that follow a JSON Schema",
            Self::Choices => "more than one choice",
            Self::Logprobs => "token log probabilities",
            Self::Penalties => "repetition penalties",
            Self::Stop => "stop sequences",
            Self::Prefill => "a prefilled response",
            Self::Suffix => "a suffix",
            Self::Prompts => "more than one prompt in a request, only a text or a list with one text",
            Self::TokenPrompts => "prompts of tokens, only texts",
            Self::Native => "this field",
        }
    }

    /// States that a kind doesn't support the feature.
    pub(crate) fn lacking(self, kind: &str) -> String {
        format!("providers of kind `{kind}` don't support {}", self.description())
    }

    /// The error for a request that uses the feature; `param` is the field.
    pub(crate) fn unsupported(self, kind: &str, param: impl Into<String>) -> Error {
        let message = format!("{}: remove it from the request", self.lacking(kind));
        Error::new(Kind::Invalid, "unsupported_feature", message).with_param(param)
    }

    /// The error for an endpoint that a kind doesn't serve. `param` is `model`, which names the provider.
    pub(crate) fn not_served(self, kind: &str) -> Error {
        let message = format!("{}: use a model of another provider", self.lacking(kind));
        Error::new(Kind::Invalid, "unsupported_feature", message).with_param("model")
    }

    /// Whether it is an endpoint, rather than a part of a request.
    pub fn is_endpoint(self) -> bool {
        Endpoint::ALL.into_iter().any(|endpoint| Self::of(endpoint) == Some(self))
    }

    /// The feature that an endpoint requires, if any.
    pub(crate) fn of(endpoint: Endpoint) -> Option<Self> {
        match endpoint {
            Endpoint::Embeddings => Some(Self::Embeddings),
            Endpoint::Speech => Some(Self::Speech),
            Endpoint::Transcriptions => Some(Self::Transcriptions),
            Endpoint::Images => Some(Self::ImageGeneration),
            Endpoint::Moderations => Some(Self::Moderations),
            Endpoint::Rerank => Some(Self::Rerank),
            Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::Responses | Endpoint::Completions => {
                None
            }
        }
    }
}
