//! One suite for every kind of provider and every client format.
//!
//! A case is a request in each client's format, the request that a provider must receive, and the response that the
//! client must parse. `provider.rs` writes providers' responses from their documented formats; the code that parses
//! requests as a provider and responses as a client shares nothing with the crate's own. A kind either supports a
//! case, or declares a feature that it needs as unsupported and rejects it.
//!
//! A new kind is a line in [`KINDS`]; the suite fails until there is one.

mod cases;
mod client;
mod complete;
mod key_order;
mod provider;
mod recorded;
mod request;
mod responses;
mod stream;

use bytes::Bytes;
use loam_kernel::LlmCallId;
use loam_providers::openai::RequestEnvelope;
use loam_providers::{Config, Endpoint, KindInfo, Outgoing, ProviderRequest, Reader, kind};
use serde_json::{Value, json};

/// The wire formats of providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenAI's, with the name of the reasoning field.
    Chat(&'static str),
    /// Anthropic's.
    Messages,
    /// Dify's.
    Dify,
}

/// Every kind and its format.
const KINDS: [(&str, Format); 6] = [
    ("openai", Format::Chat("reasoning_content")),
    ("qwen", Format::Chat("reasoning_content")),
    ("deepseek", Format::Chat("reasoning_content")),
    ("ollama", Format::Chat("reasoning")),
    ("anthropic", Format::Messages),
    ("dify", Format::Dify),
];

/// The client formats for chat.
const CLIENTS: [Endpoint; 3] = [Endpoint::ChatCompletions, Endpoint::Messages, Endpoint::Responses];

/// A client's request and the kind it is sent to.
struct Scenario {
    kind: &'static KindInfo,
    format: Format,
    endpoint: Endpoint,
    body: Bytes,
    envelope: RequestEnvelope,
    config: Config,
}

impl Scenario {
    fn new(name: &str, format: Format, endpoint: Endpoint, body: &Value) -> Self {
        Self::with_config(name, format, endpoint, body, json!({"responses": "translated"}))
    }

    /// With further fields of the configuration.
    fn with_config(name: &str, format: Format, endpoint: Endpoint, body: &Value, mut config: Value) -> Self {
        let body = Bytes::from(body.to_string());
        let envelope = RequestEnvelope::read(&body).expect("a valid request");
        config["base_url"] = "https://example.org/v1".into();
        config["api_key"] = "k".into();
        let config = serde_json::from_value(config).expect("a valid configuration");
        Self { kind: kind(name).expect("a kind"), format, endpoint, body, envelope, config }
    }

    fn provider_request(&self) -> ProviderRequest<'_> {
        ProviderRequest {
            endpoint: self.endpoint,
            envelope: &self.envelope,
            body: &self.body,
            model: "m-1",
            betas: &[],
            call: LlmCallId::NIL,
            previous_response: None,
        }
    }

    fn outgoing(&self) -> loam_kernel::Result<Outgoing> {
        self.kind.wire.outgoing(&self.config, &self.provider_request())
    }

    fn reader(&self) -> Box<dyn Reader> {
        self.kind.wire.reader(&self.config, &self.provider_request())
    }

    /// Whether the response is forwarded unchanged.
    fn passes(&self) -> bool {
        match self.format {
            Format::Chat(_) => self.endpoint == Endpoint::ChatCompletions,
            Format::Messages => self.endpoint == Endpoint::Messages,
            Format::Dify => false,
        }
    }

    fn name(&self) -> String {
        format!("{} for {}", self.kind.name, self.endpoint.path())
    }
}

#[test]
fn no_kind_is_left_out() {
    let mut known: Vec<_> = loam_providers::KINDS.iter().map(|kind| kind.name).collect();
    let mut tested: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    tested.sort_unstable();
    assert_eq!(known, tested, "a kind needs its line in KINDS");
}
