//! What a kind of provider can't do, so that it is said rather than left out of the answer.

use loam_kernel::{Error, Kind};

use crate::Endpoint;

/// Something that a client may ask for and that not every kind of provider has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// `POST /v1/embeddings`.
    Embeddings,
    /// `POST /v1/responses`.
    Responses,
    /// Images in a message.
    Images,
    /// Images in a message that are part of the request, and not at an address.
    ImageData,
    /// Documents in a message.
    Documents,
    /// Sound, in or out.
    Audio,
    /// Tools that the client runs.
    Tools,
    /// Tools that the provider runs.
    ServerTools,
    /// Saying which tool is to be called, or that none is.
    ToolChoice,
    /// An answer that is any JSON.
    JsonObject,
    /// An answer after a JSON Schema.
    JsonSchema,
    /// More than one answer to one request.
    Choices,
    /// Probabilities of tokens, and a bias on them.
    Logprobs,
    /// Penalties on repetition.
    Penalties,
    /// Texts at which the answer ends.
    Stop,
    /// An answer that the client has begun.
    Prefill,
    /// Something of the provider's own API.
    Native,
}

impl Feature {
    /// For the message of an error.
    fn words(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Responses => "the responses API",
            Self::Images => "images",
            Self::ImageData => "images within the request, only those at an address",
            Self::Documents => "documents",
            Self::Audio => "audio",
            Self::Tools => "tools",
            Self::ServerTools => "tools that the provider itself runs",
            Self::ToolChoice => "a choice of tools other than `auto`",
            Self::JsonObject => "answers in JSON without a schema",
            Self::JsonSchema => "answers after a JSON Schema",
            Self::Choices => "more than one answer",
            Self::Logprobs => "probabilities of tokens",
            Self::Penalties => "penalties on repetition",
            Self::Stop => "stop sequences",
            Self::Prefill => "an answer that the client has begun",
            Self::Native => "this field",
        }
    }

    /// The error for a client that asked for it; `param` is the field.
    pub(crate) fn unsupported(self, kind: &str, param: impl Into<String>) -> Error {
        let message = format!("providers of kind `{kind}` don't have {}: leave it out", self.words());
        Error::new(Kind::Invalid, "unsupported_feature", message).with_param(param)
    }

    /// The error for a client of an endpoint that a kind doesn't serve. The model names the provider.
    pub(crate) fn not_served(self, kind: &str) -> Error {
        let message =
            format!("providers of kind `{kind}` don't have {}: use a model of another one", self.words());
        Error::new(Kind::Invalid, "unsupported_feature", message).with_param("model")
    }

    /// What a client needs for an endpoint, where that isn't just an answer.
    pub(crate) fn of(endpoint: Endpoint) -> Option<Self> {
        match endpoint {
            Endpoint::Embeddings => Some(Self::Embeddings),
            Endpoint::Responses => Some(Self::Responses),
            Endpoint::ChatCompletions | Endpoint::Messages => None,
        }
    }
}
