//! The kind `anthropic`.

use http::{HeaderName, HeaderValue};
use loam_kernel::{Error, Result};

use super::from_chat::from_chat;
use super::pass::PassThrough;
use super::source::MessagesSource;
use crate::openai::{ChatSink, model_ids};
use crate::piece::Translated;
use crate::wire::{Ask, Endpoint, Outgoing, Reader, Wire, secret_header};
use crate::{Config, Feature};

pub(super) const KIND: &str = "anthropic";

/// The version of the API that the translation is written for; Anthropic has named no other since.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// Anthropic, and every server that speaks its API.
pub(crate) struct Anthropic;

impl Wire for Anthropic {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn cannot(&self, endpoint: Endpoint) -> Vec<Feature> {
        match endpoint {
            Endpoint::Embeddings => vec![Feature::Embeddings],
            Endpoint::Responses => vec![Feature::Responses],
            Endpoint::Messages => Vec::new(),
            Endpoint::ChatCompletions => vec![
                Feature::Audio,
                Feature::JsonObject,
                Feature::Choices,
                Feature::Logprobs,
                Feature::Penalties,
            ],
        }
    }

    fn headers(&self, config: &Config, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let mut headers = vec![(HeaderName::from_static("anthropic-version"), VERSION)];
        if let Some(key) = key {
            headers.push(secret_header("x-api-key", key)?);
        }
        if !config.betas.is_empty() {
            let betas = HeaderValue::from_str(&config.betas.join(",")).map_err(Error::internal)?;
            headers.push((HeaderName::from_static("anthropic-beta"), betas));
        }
        Ok(headers)
    }

    fn outgoing(&self, config: &Config, ask: &Ask<'_>) -> Result<Outgoing> {
        self.serves(ask.endpoint)?;
        let body = match ask.endpoint {
            Endpoint::Messages => ask.head.with_model(ask.body, ask.model),
            _ => from_chat(config, ask)?,
        };
        Ok(Outgoing { path: "/v1/messages", headers: Vec::new(), body })
    }

    fn reader(&self, ask: &Ask<'_>) -> Box<dyn Reader> {
        match ask.endpoint {
            Endpoint::Messages => Box::new(PassThrough::new()),
            _ => {
                let sink = ChatSink::new(ask.model, ask.head.wants_usage);
                Box::new(Translated::new(MessagesSource::default(), sink))
            }
        }
    }

    fn probe_path(&self) -> &'static str {
        // 20 a page unless asked for more, and never more than this
        "/v1/models?limit=1000"
    }

    fn model_ids(&self, body: &[u8]) -> Option<Vec<String>> {
        model_ids(body)
    }
}
