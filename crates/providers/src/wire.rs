//! What sets the kinds of provider apart: how a client's request is put to one, and how its answer is read.
//!
//! A client speaks one of a few formats, named by the [`Endpoint`] it called; a provider speaks its own. Where the two
//! are the same the bytes go through, to the byte; where they differ the request is translated on the way there and the
//! answer on the way back. The gateway sees neither: it asks a [`Wire`] for what to send, and gives what comes to a
//! [`Reader`].

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use loam_kernel::{Error, Result};

use crate::openai::Head;
use crate::{Config, Feature, Usage};

/// What a client called, and so the format it speaks.
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
}

impl Endpoint {
    /// The endpoint with this path on record.
    pub fn of_path(path: &str) -> Option<Self> {
        [Self::ChatCompletions, Self::Embeddings, Self::Responses, Self::Messages]
            .into_iter()
            .find(|one| one.path() == path)
    }

    /// The path as it is kept on record.
    pub fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/chat/completions",
            Self::Embeddings => "/embeddings",
            Self::Responses => "/responses",
            Self::Messages => "/messages",
        }
    }
}

/// A client's request.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// What it called.
    pub endpoint: Endpoint,
    /// The fields that are known of every request.
    pub head: &'a Head,
    /// All of it.
    pub body: &'a Bytes,
    /// The provider's own name of the model.
    pub model: &'a str,
}

/// The request for the provider.
#[derive(Debug)]
pub struct Outgoing {
    /// The path, below the provider's base URL.
    pub path: &'static str,
    /// Headers besides the credential and `content-type`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, in JSON.
    pub body: Bytes,
}

/// What may go to the client.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// Now.
    pub now: Bytes,
    /// Once the call is settled: the end of the stream.
    pub last: Option<Bytes>,
}

/// An answer that came whole.
#[derive(Debug)]
pub struct Whole {
    /// What the client gets.
    pub body: Bytes,
    /// What it cost, if the provider said so.
    pub usage: Option<Usage>,
}

/// Reads the answer to one request, and gives it back in the client's format.
pub trait Reader: Send {
    /// A whole answer, of a status that means success.
    fn whole(&mut self, body: Bytes) -> Result<Whole>;

    /// Takes what came of a stream, and answers with what may go on.
    fn push(&mut self, chunk: Bytes) -> Forward;

    /// What is left when the provider closes without an end.
    fn finish(&mut self) -> Bytes;

    /// The usage of a stream, once it has come.
    fn usage(&self) -> Option<Usage>;

    /// What the provider said went wrong in the middle of its stream; the client has been told by an event.
    fn failure(&self) -> Option<String> {
        None
    }
}

/// A kind's own ways.
pub trait Wire: Send + Sync {
    /// The name of the kind.
    fn kind(&self) -> &'static str;

    /// What the kind can't do for clients of an endpoint: asked for it, it refuses with the code `unsupported_feature`.
    fn cannot(&self, endpoint: Endpoint) -> Vec<Feature>;

    /// Whether clients of this endpoint can be served, be it by translation. The error says what can't be done.
    fn serves(&self, endpoint: Endpoint) -> Result<()> {
        match Feature::of(endpoint).filter(|feature| self.cannot(endpoint).contains(feature)) {
            Some(feature) => Err(feature.not_served(self.kind())),
            None => Ok(()),
        }
    }

    /// The headers that carry a key, and all that goes with every request.
    fn headers(&self, config: &Config, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>>;

    /// The request as the provider wants it; refused when it asks for what the kind can't do.
    fn outgoing(&self, config: &Config, ask: &Ask<'_>) -> Result<Outgoing>;

    /// A reader for the answer to that request.
    fn reader(&self, ask: &Ask<'_>) -> Box<dyn Reader>;

    /// What is fetched, with `GET` below the base URL, to see whether a provider can be reached.
    fn probe_path(&self) -> &'static str {
        "/models"
    }

    /// The models that an answer to the probe lists; none when the kind has no such list.
    fn model_ids(&self, body: &[u8]) -> Option<Vec<String>>;

    /// The error for the client when the provider answered with one.
    fn error(&self, provider: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Error {
        crate::openai::error_from(provider, status, body, retry_after)
    }
}

/// A header whose value must not be logged.
pub(crate) fn secret_header(name: &'static str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_str(value).map_err(Error::internal)?;
    value.set_sensitive(true);
    Ok((HeaderName::from_static(name), value))
}
