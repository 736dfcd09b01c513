//! OpenAI and the kinds that speak its format: requests in that format are forwarded unchanged.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use loam_kernel::{Error, Result};
use serde_json::{Map, Value};

use super::responses::Progress;
use super::stream::Chunks;
use super::unsupported::reject_unsupported;
use super::{ChatDecoder, error_from, model_ids};
use crate::anthropic::{MessagesEncoder, to_chat};
use crate::sse::PassThrough;
use crate::translate::Translator;
use crate::wire::{Endpoint, Outgoing, ProviderRequest, Reader, Wire, secret_header};
use crate::{ChatDialect, Config, Feature};

/// A kind that speaks OpenAI's format, with its dialect.
pub(crate) struct OpenAi {
    pub(crate) dialect: ChatDialect,
    pub(crate) unsupported: &'static [Feature],
    pub(crate) error: fn(&str, u16, &[u8], Option<Duration>) -> Error,
}

/// The kind `openai`: OpenAI itself, and every compatible server without a kind of its own.
///
/// OpenAI's reasoning models require the limit as `max_completion_tokens`, which compatible servers may not know: so
/// the translation for clients of Anthropic's format writes one or the other, depending on the base URL.
pub(crate) static OPENAI: OpenAi = OpenAi {
    dialect: ChatDialect {
        kind: "openai",
        max_tokens: "max_tokens",
        resends_reasoning: false,
        apply_reasoning,
    },
    unsupported: &[],
    error: error_from,
};

/// Features of Anthropic's format that OpenAI's lacks.
const UNTRANSLATED: [Feature; 3] = [Feature::Documents, Feature::Prefill, Feature::ServerTools];

/// OpenAI's own base URL.
const OWN: &str = "https://api.openai.com/";

/// Forwards the effort that the client chose, but not whether reasoning is on or off: most models reject that.
fn apply_reasoning(_thinking: Option<&Value>, effort: Option<&str>, chat: &mut Map<String, Value>) {
    if let Some(effort) = effort {
        // the levels have the same names, except the highest
        let effort = if effort == "max" { "xhigh" } else { effort };
        chat.insert("reasoning_effort".to_owned(), effort.into());
    }
}

impl OpenAi {
    fn translated(&self, config: &Config, provider_request: &ProviderRequest<'_>) -> Result<Bytes> {
        let mut chat = to_chat(&self.dialect, provider_request)?;
        if config.base_url.starts_with(OWN) {
            let limit = chat[self.dialect.max_tokens].take();
            chat["max_completion_tokens"] = limit;
            chat.as_object_mut().map(|chat| chat.remove(self.dialect.max_tokens));
        }
        Ok(chat.to_string().into())
    }
}

impl Wire for OpenAi {
    fn kind(&self) -> &'static str {
        self.dialect.kind
    }

    fn unsupported(&self, endpoint: Endpoint) -> Vec<Feature> {
        let translated: &[Feature] = if endpoint == Endpoint::Messages { &UNTRANSLATED } else { &[] };
        self.unsupported.iter().chain(translated).copied().collect()
    }

    fn headers(&self, config: &Config, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let bearer = key.map(|key| secret_header("authorization", &format!("Bearer {key}")));
        let organization =
            config.organization.as_ref().map(|value| secret_header("openai-organization", value));
        let project = config.project.as_ref().map(|value| secret_header("openai-project", value));
        [bearer, organization, project].into_iter().flatten().collect()
    }

    fn outgoing(&self, config: &Config, provider_request: &ProviderRequest<'_>) -> Result<Outgoing> {
        self.serves(provider_request.endpoint)?;
        let body = match provider_request.endpoint {
            Endpoint::ChatCompletions | Endpoint::Embeddings => {
                provider_request.envelope.rewrite(provider_request.body, provider_request.model)
            }
            Endpoint::Responses => {
                provider_request.envelope.with_model(provider_request.body, provider_request.model)
            }
            Endpoint::Messages => self.translated(config, provider_request)?,
        };
        if matches!(provider_request.endpoint, Endpoint::ChatCompletions | Endpoint::Messages) {
            reject_unsupported(self.dialect.kind, self.unsupported, provider_request.endpoint, &body)?;
        }
        let path = match provider_request.endpoint {
            Endpoint::Messages => Endpoint::ChatCompletions.path(),
            endpoint => endpoint.path(),
        };
        Ok(Outgoing { path, headers: Vec::new(), body })
    }

    fn reader(&self, provider_request: &ProviderRequest<'_>) -> Box<dyn Reader> {
        match provider_request.endpoint {
            Endpoint::Responses => Box::new(PassThrough::new(Progress::default())),
            Endpoint::Messages => Box::new(Translator::new(
                ChatDecoder::default(),
                MessagesEncoder::new(provider_request.model),
            )),
            _ => Box::new(PassThrough::new(Chunks::new(
                provider_request.envelope.stream && !provider_request.envelope.wants_usage,
            ))),
        }
    }

    fn model_ids(&self, body: &[u8]) -> Option<Vec<String>> {
        model_ids(body)
    }

    fn error(&self, provider: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Error {
        (self.error)(provider, status, body, retry_after)
    }
}
