//! OpenAI and the kinds that speak its format: requests in that format are forwarded unchanged.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use loam_kernel::{Error, Result};
use serde_json::{Map, Value};

use super::fit::{OWN, apply_reasoning, fit};
use super::stream::Chunks;
use super::unsupported::reject_unsupported;
use super::{ChatDecoder, error_from, model_ids};
use crate::anthropic::{MessagesEncoder, to_chat};
use crate::body::MAX_OPENAI_USER;
use crate::completions::{CompletionsEncoder, completions_to_chat};
use crate::omitted::Omitted;
use crate::pass_through_endpoints::EndpointInspector;
use crate::responses::{Progress, ResponsesEncoder, responses_to_chat};
use crate::sse::PassThrough;
use crate::translate::Translator;
use crate::wire::{Outgoing, ProviderRequest, Reader, Wire, secret_header};
use crate::{ChatDialect, Config, Endpoint, Feature, ResponsesApi};

/// A kind that speaks OpenAI's format, with its dialect.
pub(crate) struct OpenAi {
    pub(crate) dialect: ChatDialect,
    pub(crate) unsupported: &'static [Feature],
    /// Whether its servers may have the Responses API.
    pub(crate) has_responses: bool,
    /// Whether the server has text completions.
    pub(crate) has_completions: fn(&Config) -> bool,
    pub(crate) error: fn(&str, u16, &[u8], Option<Duration>) -> Error,
    /// Changes a translated request as the model of this name needs it.
    pub(crate) fit: fn(&Config, &str, &mut Map<String, Value>, &mut Omitted),
}

/// The kind `openai`: OpenAI itself, and every compatible server without a kind of its own.
pub(crate) static OPENAI: OpenAi = OpenAi {
    dialect: ChatDialect {
        kind: "openai",
        max_tokens: "max_tokens",
        resends_reasoning: false,
        apply_reasoning,
    },
    unsupported: &[],
    has_responses: true,
    has_completions: |_| true,
    error: error_from,
    fit,
};

/// Features of Anthropic's format that OpenAI's lacks.
const UNTRANSLATED: [Feature; 2] = [Feature::Prefill, Feature::ServerTools];
/// Features of responses that chat completions lack.
const UNTRANSLATED_RESPONSES: [Feature; 2] = [Feature::ServerTools, Feature::Logprobs];
/// Parts of the content that a translated request is sent without, where a kind doesn't support them.
const REPLACED: [Feature; 2] = [Feature::Images, Feature::Documents];

impl OpenAi {
    fn translated(
        &self,
        config: &Config,
        model: &str,
        mut chat: Map<String, Value>,
        omitted: &mut Omitted,
    ) -> Bytes {
        omitted.replace_parts(self.dialect.kind, self.unsupported, &mut chat);
        (self.fit)(config, model, &mut chat, omitted);
        Value::Object(chat).to_string().into()
    }

    /// Whether requests to the Responses API are forwarded unchanged.
    fn forwards_responses(&self, config: &Config) -> bool {
        self.has_responses && config.responses == ResponsesApi::Native
    }
}

impl Wire for OpenAi {
    fn kind(&self) -> &'static str {
        self.dialect.kind
    }

    fn unsupported(&self, endpoint: Endpoint) -> Vec<Feature> {
        let translated: &[Feature] = match endpoint {
            Endpoint::Messages => &UNTRANSLATED,
            Endpoint::Responses => &UNTRANSLATED_RESPONSES,
            _ => &[],
        };
        let is_replaced = |feature: &Feature| self.omitted(endpoint).contains(feature);
        self.unsupported.iter().filter(|feature| !is_replaced(feature)).chain(translated).copied().collect()
    }

    fn omitted(&self, endpoint: Endpoint) -> Vec<Feature> {
        match endpoint {
            Endpoint::Messages | Endpoint::Responses => {
                REPLACED.into_iter().filter(|feature| self.unsupported.contains(feature)).collect()
            }
            _ => Vec::new(),
        }
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
        let ProviderRequest { endpoint, envelope, body, model, .. } = *provider_request;
        // compatible servers don't share OpenAI's limit
        let max_user = config.base_url.starts_with(OWN).then_some(MAX_OPENAI_USER);
        let mut omitted = Omitted::default();
        let (becomes, body) = match endpoint {
            Endpoint::ChatCompletions | Endpoint::Embeddings => {
                (endpoint, envelope.rewrite(body, model, max_user))
            }
            Endpoint::Completions if (self.has_completions)(config) => {
                (endpoint, envelope.rewrite(body, model, max_user))
            }
            Endpoint::Completions => {
                let chat = completions_to_chat(self.dialect.kind, provider_request)?;
                (Endpoint::ChatCompletions, self.translated(config, model, chat, &mut omitted))
            }
            Endpoint::Responses if self.forwards_responses(config) => {
                (endpoint, envelope.with_model(body, model, max_user))
            }
            Endpoint::Responses => {
                let mut chat = responses_to_chat(&self.dialect, provider_request)?;
                // OpenAI accepts it only for chat completions that it stores
                chat.remove("metadata");
                (Endpoint::ChatCompletions, self.translated(config, model, chat, &mut omitted))
            }
            Endpoint::Messages => {
                let chat = to_chat(&self.dialect, provider_request, &mut omitted)?;
                (Endpoint::ChatCompletions, self.translated(config, model, chat, &mut omitted))
            }
            _ => (endpoint, envelope.with_model(body, model, max_user)),
        };
        if becomes == Endpoint::ChatCompletions {
            reject_unsupported(self.dialect.kind, self.unsupported, endpoint, &body)?;
        }
        let form = envelope.form.iter().map(|form| (CONTENT_TYPE, form.content_type.clone()));
        let omitted = omitted.into_notes();
        Ok(Outgoing { path: becomes.path(), headers: form.collect(), body, omitted })
    }

    fn reader(&self, config: &Config, provider_request: &ProviderRequest<'_>) -> Box<dyn Reader> {
        match provider_request.endpoint {
            Endpoint::Responses if self.forwards_responses(config) => {
                Box::new(PassThrough::new(Progress::default()))
            }
            Endpoint::Responses => {
                Box::new(Translator::new(ChatDecoder::default(), ResponsesEncoder::new(provider_request)))
            }
            Endpoint::Messages => Box::new(Translator::new(
                ChatDecoder::default(),
                MessagesEncoder::new(provider_request.model),
            )),
            Endpoint::Completions if !(self.has_completions)(config) => Box::new(Translator::new(
                ChatDecoder::default(),
                CompletionsEncoder::new(self.dialect.kind, provider_request),
            )),
            Endpoint::ChatCompletions | Endpoint::Embeddings | Endpoint::Completions => {
                Box::new(PassThrough::new(Chunks::new(
                    provider_request.envelope.stream && !provider_request.envelope.wants_usage,
                )))
            }
            endpoint => {
                let requested = provider_request.envelope.quantity;
                Box::new(PassThrough::new(EndpointInspector::new(endpoint, requested)))
            }
        }
    }

    fn model_ids(&self, body: &[u8]) -> Option<Vec<String>> {
        model_ids(body)
    }

    fn error(&self, provider: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Error {
        (self.error)(provider, status, body, retry_after)
    }
}
