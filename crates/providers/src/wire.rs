//! The interface of a kind of provider: how a client's request is encoded for it, and how its response is read.
//!
//! A client speaks one of a few formats, identified by the [`Endpoint`] it called; a provider speaks its own. Where
//! the two are the same, bytes are forwarded unchanged; otherwise the request and the response are translated. The
//! gateway knows neither format: it gets the request from a [`Wire`], and passes the response to a [`Reader`].

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use loam_kernel::{Error, LlmCallId, Result};

use crate::openai::{ChatOutput, RequestEnvelope};
use crate::{Config, Endpoint, Feature, Quantity, ReportedError, ResponseError, Usage};

/// A client's request, to be encoded for a provider.
#[derive(Clone, Copy)]
pub struct ProviderRequest<'a> {
    /// The endpoint that the client called.
    pub endpoint: Endpoint,
    /// The parsed fields that every request has.
    pub envelope: &'a RequestEnvelope,
    /// The complete body.
    pub body: &'a Bytes,
    /// The provider's name of the model.
    pub model: &'a str,
    /// The values of the client's [`BETAS`] header.
    pub betas: &'a [HeaderValue],
    /// The call, which identifies a translated response.
    pub call: LlmCallId,
    /// The id of the response that it continues, whose items the body holds already.
    pub previous_response: Option<&'a str>,
}

/// The header in which clients of Anthropic's format name the beta features that they use.
pub const BETAS: HeaderName = HeaderName::from_static("anthropic-beta");

/// The encoded request.
#[derive(Debug)]
pub struct Outgoing {
    /// The path, relative to the provider's base URL.
    pub path: &'static str,
    /// Headers other than the credential; `content-type` if the body isn't JSON.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
    /// What was left out of a translated request, as the kind or the model can't take it.
    pub omitted: Vec<String>,
}

/// Bytes that can be sent to the client.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// To be sent now.
    pub now: Bytes,
    /// The end of the stream, to be sent once the call is settled.
    pub last: Option<Bytes>,
}

/// A response that is not streamed.
#[derive(Debug)]
pub struct CompleteResponse {
    /// The body for the client.
    pub body: Bytes,
    /// Token usage, if the provider reported it.
    pub usage: Option<Usage>,
    /// What it is counted by besides tokens.
    pub quantity: Option<Quantity>,
}

/// Reads the response to one request, and converts it to the client's format.
pub trait Reader: Send {
    /// Reads a response that is not streamed, with a success status.
    fn read_complete(&mut self, body: Bytes) -> Result<CompleteResponse, ResponseError>;

    /// Keeps what the response says, besides converting it, for a chat completion that Loam itself requests.
    fn keep_output(&mut self) {}

    /// What has been kept; none unless the reader is that of a chat completion and was told to keep it.
    fn output(&mut self) -> Option<&mut ChatOutput> {
        None
    }

    /// Adds a chunk of a stream; returns what can be sent.
    fn push(&mut self, chunk: Bytes) -> Forward;

    /// The remainder, once the provider has closed.
    fn finish(&mut self) -> Bytes;

    /// The usage of a stream, once it has arrived.
    fn usage(&self) -> Option<Usage>;

    /// What the call is counted by besides tokens, if anything.
    fn quantity(&self) -> Option<Quantity> {
        None
    }

    /// Whether it forwards bytes that are not text, without events: only the connection tells whether they are
    /// complete, and they are not recorded.
    fn forwards_bytes(&self) -> bool {
        false
    }

    /// The error that the provider reported in its stream; it has been forwarded as an event.
    fn failure(&self) -> Option<&ReportedError>;

    /// The last event of a stream that the provider broke off; none if the format has no event of its own for it.
    fn interrupted(&mut self, _error: &Error) -> Option<Bytes> {
        None
    }

    /// Whether the end of the stream, or the reason why the model stopped, has arrived. If the provider closes before,
    /// it broke off.
    fn is_complete(&self) -> bool;
}

/// The wire protocol of a kind.
pub trait Wire: Send + Sync {
    /// The name of the kind.
    fn kind(&self) -> &'static str;

    /// Features that the kind doesn't support for an endpoint: a request for one is rejected with the code
    /// `unsupported_feature`.
    fn unsupported(&self, endpoint: Endpoint) -> Vec<Feature>;

    /// Features that a request for an endpoint is sent without, where the kind doesn't support them; each is noted in
    /// [`Outgoing::omitted`].
    fn omitted(&self, _endpoint: Endpoint) -> Vec<Feature> {
        Vec::new()
    }

    /// Whether the endpoint is served, directly or by translation. The error names the missing feature.
    fn serves(&self, endpoint: Endpoint) -> Result<()> {
        match Feature::of(endpoint).filter(|feature| self.unsupported(endpoint).contains(feature)) {
            Some(feature) => Err(feature.not_served(self.kind())),
            None => Ok(()),
        }
    }

    /// The headers that carry the key, and those that every request has.
    fn headers(&self, config: &Config, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>>;

    /// Encodes the request for the provider; rejects unsupported features.
    fn outgoing(&self, config: &Config, provider_request: &ProviderRequest<'_>) -> Result<Outgoing>;

    /// A reader for the response to that request.
    fn reader(&self, config: &Config, provider_request: &ProviderRequest<'_>) -> Box<dyn Reader>;

    /// The path, relative to the base URL, that is fetched with `GET` to test the connection.
    fn probe_path(&self) -> &'static str {
        "/models"
    }

    /// The models listed in a response to the probe; none if the kind has no such list.
    fn model_ids(&self, body: &[u8]) -> Option<Vec<String>>;

    /// The error for the client, from an error response of the provider.
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
