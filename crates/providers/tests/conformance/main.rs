//! One suite over every kind of provider and every format of clients.
//!
//! A case is a request in each client's format, what a provider must understand of it, and what the client must read in
//! the answer. Providers' answers are written from their documented formats, by `provider.rs`; requests as a provider
//! understands them and answers as a client reads them are read by code that shares nothing with the crate's own. A kind
//! answers every case, or declares what it needs for it as something that it can't do, and then refuses it.
//!
//! A new kind is a line in [`KINDS`]; the suite fails until there is one.

mod cases;
mod client;
mod provider;
mod request;
mod stream;
mod whole;

use bytes::Bytes;
use loam_providers::openai::Head;
use loam_providers::{Ask, Config, Endpoint, KindInfo, Outgoing, Reader, kind};
use serde_json::{Value, json};

/// The formats that providers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenAI's, with the name of the field for thoughts.
    Chat(&'static str),
    /// Anthropic's.
    Messages,
    /// Dify's.
    Dify,
}

/// Every kind and the format it speaks.
const KINDS: [(&str, Format); 6] = [
    ("openai", Format::Chat("reasoning_content")),
    ("qwen", Format::Chat("reasoning_content")),
    ("deepseek", Format::Chat("reasoning_content")),
    ("ollama", Format::Chat("reasoning")),
    ("anthropic", Format::Messages),
    ("dify", Format::Dify),
];

/// The formats of clients that a conversation can be had in.
const CLIENTS: [Endpoint; 2] = [Endpoint::ChatCompletions, Endpoint::Messages];

/// A client's request and the kind it goes to.
struct Asking {
    kind: &'static KindInfo,
    format: Format,
    endpoint: Endpoint,
    body: Bytes,
    head: Head,
    config: Config,
}

impl Asking {
    fn new(name: &str, format: Format, endpoint: Endpoint, body: &Value) -> Self {
        let body = Bytes::from(body.to_string());
        let head = Head::read(&body).expect("a valid request");
        let config = json!({"base_url": "https://example.org/v1", "api_key": "k"});
        let config = serde_json::from_value(config).expect("a valid configuration");
        Self { kind: kind(name).expect("a kind"), format, endpoint, body, head, config }
    }

    fn ask(&self) -> Ask<'_> {
        Ask { endpoint: self.endpoint, head: &self.head, body: &self.body, model: "m-1" }
    }

    fn outgoing(&self) -> loam_kernel::Result<Outgoing> {
        self.kind.wire.outgoing(&self.config, &self.ask())
    }

    fn reader(&self) -> Box<dyn Reader> {
        self.kind.wire.reader(&self.ask())
    }

    /// Whether the answer goes on as it came.
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
