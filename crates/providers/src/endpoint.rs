//! The endpoints that clients call, and what each takes and returns.

/// The endpoint that a client called, and so the format it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// OpenAI's `POST /v1/chat/completions`.
    ChatCompletions,
    /// OpenAI's `POST /v1/embeddings`.
    Embeddings,
    /// OpenAI's `POST /v1/responses`.
    Responses,
    /// Anthropic's `POST /v1/messages`.
    Messages,
    /// OpenAI's `POST /v1/completions`.
    Completions,
    /// OpenAI's `POST /v1/audio/speech`.
    Speech,
    /// OpenAI's `POST /v1/audio/transcriptions`.
    Transcriptions,
    /// OpenAI's `POST /v1/images/generations`.
    Images,
    /// OpenAI's `POST /v1/moderations`.
    Moderations,
    /// `POST /v1/rerank` of Jina and Cohere, which compatible servers have too.
    Rerank,
}

/// What an endpoint returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Returns {
    /// A message of a conversation.
    Message,
    /// A text.
    Text,
    /// JSON with this field, which is passed through.
    Json(&'static str),
    /// Bytes that are not text, which are passed through.
    Bytes,
}

struct Traits {
    path: &'static str,
    /// Whether the request is a form; else it is JSON.
    takes_form: bool,
    returns: Returns,
}

const fn json(path: &'static str, returns: Returns) -> Traits {
    Traits { path, takes_form: false, returns }
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 10] = [
        Self::ChatCompletions,
        Self::Embeddings,
        Self::Responses,
        Self::Messages,
        Self::Completions,
        Self::Speech,
        Self::Transcriptions,
        Self::Images,
        Self::Moderations,
        Self::Rerank,
    ];

    const fn traits(self) -> Traits {
        match self {
            Self::ChatCompletions => json("/chat/completions", Returns::Message),
            Self::Embeddings => json("/embeddings", Returns::Json("data")),
            Self::Responses => json("/responses", Returns::Message),
            Self::Messages => json("/messages", Returns::Message),
            Self::Completions => json("/completions", Returns::Text),
            Self::Speech => json("/audio/speech", Returns::Bytes),
            Self::Transcriptions => {
                Traits { takes_form: true, ..json("/audio/transcriptions", Returns::Json("text")) }
            }
            Self::Images => json("/images/generations", Returns::Json("data")),
            Self::Moderations => json("/moderations", Returns::Json("results")),
            Self::Rerank => json("/rerank", Returns::Json("results")),
        }
    }

    /// The endpoint with this recorded path.
    pub fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.path() == path)
    }

    /// The path as it is recorded.
    pub const fn path(self) -> &'static str {
        self.traits().path
    }

    /// Whether the request is a form (RFC 7578), in which `model` is a field; else it is JSON.
    pub const fn takes_form(self) -> bool {
        self.traits().takes_form
    }

    /// Whether request and response are messages, which a conversation can store.
    pub const fn has_messages(self) -> bool {
        matches!(self.traits().returns, Returns::Message)
    }

    /// Whether the model writes a text, whose length a request can bound. Such a response has an id.
    pub const fn writes_text(self) -> bool {
        matches!(self.traits().returns, Returns::Message | Returns::Text)
    }

    /// Whether the response is bytes that are not text, sent as they arrive.
    pub const fn returns_bytes(self) -> bool {
        matches!(self.traits().returns, Returns::Bytes)
    }

    /// The field that every complete response in JSON has; none if its format has a reader of its own.
    pub(crate) const fn result_field(self) -> Option<&'static str> {
        match self.traits().returns {
            Returns::Json(field) => Some(field),
            Returns::Message | Returns::Text | Returns::Bytes => None,
        }
    }
}
