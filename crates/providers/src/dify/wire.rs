//! How an application is asked.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use loam_kernel::{Error, Result};

use super::KIND;
use super::error::error;
use super::request::request;
use super::source::DifySource;
use crate::anthropic::MessagesSink;
use crate::openai::ChatSink;
use crate::piece::Translated;
use crate::wire::{Ask, Endpoint, Outgoing, Reader, Wire, secret_header};
use crate::{Config, Feature};

/// An application of Dify's.
pub(crate) struct Dify;

impl Wire for Dify {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn cannot(&self, endpoint: Endpoint) -> Vec<Feature> {
        let mut cannot = vec![
            Feature::Embeddings,
            Feature::Responses,
            Feature::ImageData,
            Feature::Documents,
            Feature::Audio,
            Feature::Tools,
            Feature::ToolChoice,
            Feature::JsonObject,
            Feature::JsonSchema,
            Feature::Choices,
            Feature::Logprobs,
            Feature::Stop,
        ];
        if endpoint == Endpoint::Messages {
            cannot.extend([Feature::Prefill, Feature::ServerTools]);
        }
        cannot
    }

    fn headers(&self, _config: &Config, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        key.map(|key| secret_header("authorization", &format!("Bearer {key}"))).into_iter().collect()
    }

    fn outgoing(&self, config: &Config, ask: &Ask<'_>) -> Result<Outgoing> {
        self.serves(ask.endpoint)?;
        Ok(Outgoing { path: "/chat-messages", headers: Vec::new(), body: request(config, ask)? })
    }

    fn reader(&self, ask: &Ask<'_>) -> Box<dyn Reader> {
        let source = DifySource::default();
        match ask.endpoint {
            Endpoint::Messages => Box::new(Translated::new(source, MessagesSink::new(ask.model))),
            _ => Box::new(Translated::new(source, ChatSink::new(ask.model, ask.head.wants_usage))),
        }
    }

    fn probe_path(&self) -> &'static str {
        "/info"
    }

    fn model_ids(&self, _body: &[u8]) -> Option<Vec<String>> {
        None
    }

    fn error(&self, provider: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Error {
        error(provider, status, body, retry_after)
    }
}
