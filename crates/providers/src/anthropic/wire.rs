//! The kind `anthropic`.

use http::{HeaderName, HeaderValue};
use loam_kernel::{Error, Result};

use super::decoder::MessagesDecoder;
use super::from_chat::from_chat;
use super::pass_through::Progress;
use super::to_chat::ChatDialect;
use crate::body::Body;
use crate::completions::{CompletionsEncoder, completions_to_chat, name_prompt};
use crate::omitted::Omitted;
use crate::openai::{ChatEncoder, model_ids};
use crate::responses::{ResponsesEncoder, name_fields, responses_to_chat};
use crate::sse::PassThrough;
use crate::translate::Translator;
use crate::wire::{BETAS, Outgoing, ProviderRequest, Reader, Wire, secret_header};
use crate::{Config, Endpoint, Feature};

pub(super) const KIND: &str = "anthropic";

/// The API version that the translation is written for; Anthropic has released no other since.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// Requests to the Responses API are first translated to chat completions.
static CHAT: ChatDialect = ChatDialect {
    kind: KIND,
    max_tokens: "max_tokens",
    resends_reasoning: false,
    apply_reasoning: |_, effort, chat| {
        chat.extend(effort.map(|effort| ("reasoning_effort".to_owned(), effort.into())));
    },
};

/// Anthropic, and every compatible server.
pub(crate) struct Anthropic;

impl Wire for Anthropic {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn unsupported(&self, endpoint: Endpoint) -> Vec<Feature> {
        match endpoint {
            Endpoint::Responses => {
                vec![Feature::Audio, Feature::JsonObject, Feature::Logprobs, Feature::ServerTools]
            }
            Endpoint::Messages => Vec::new(),
            Endpoint::ChatCompletions | Endpoint::Completions => vec![
                Feature::Audio,
                Feature::JsonObject,
                Feature::Choices,
                Feature::Logprobs,
                Feature::Penalties,
            ],
            _ => Feature::of(endpoint).into_iter().collect(),
        }
    }

    fn headers(&self, _config: &Config, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let mut headers = vec![(HeaderName::from_static("anthropic-version"), VERSION)];
        if let Some(key) = key {
            headers.push(secret_header("x-api-key", key)?);
        }
        Ok(headers)
    }

    fn outgoing(&self, config: &Config, provider_request: &ProviderRequest<'_>) -> Result<Outgoing> {
        self.serves(provider_request.endpoint)?;
        let mut omitted = Omitted::default();
        let body = match provider_request.endpoint {
            Endpoint::Messages => {
                provider_request.envelope.with_model(provider_request.body, provider_request.model, None)
            }
            Endpoint::Responses => {
                let chat = Body::of(responses_to_chat(&CHAT, provider_request)?);
                from_chat(config, provider_request.model, chat, &mut omitted).map_err(name_fields)?
            }
            Endpoint::Completions => {
                let chat = Body::of(completions_to_chat(KIND, provider_request)?);
                from_chat(config, provider_request.model, chat, &mut omitted).map_err(name_prompt)?
            }
            _ => {
                let chat = Body::read(provider_request.body)?;
                from_chat(config, provider_request.model, chat, &mut omitted)?
            }
        };
        let betas = betas(config, provider_request.betas)?;
        Ok(Outgoing {
            path: "/v1/messages",
            headers: betas.map(|betas| (BETAS, betas)).into_iter().collect(),
            body,
            omitted: omitted.into_notes(),
        })
    }

    fn reader(&self, _config: &Config, provider_request: &ProviderRequest<'_>) -> Box<dyn Reader> {
        match provider_request.endpoint {
            Endpoint::Messages => Box::new(PassThrough::new(Progress::default())),
            Endpoint::Responses => {
                let encoder = ResponsesEncoder::new(provider_request);
                Box::new(Translator::new(MessagesDecoder::default(), encoder))
            }
            Endpoint::Completions => {
                let encoder = CompletionsEncoder::new(KIND, provider_request);
                Box::new(Translator::new(MessagesDecoder::default(), encoder))
            }
            _ => {
                let encoder = ChatEncoder::new(provider_request.model, provider_request.envelope.wants_usage);
                Box::new(Translator::new(MessagesDecoder::default(), encoder))
            }
        }
    }

    fn probe_path(&self) -> &'static str {
        // the default is 20 per page, this is the maximum
        "/v1/models?limit=1000"
    }

    fn model_ids(&self, body: &[u8]) -> Option<Vec<String>> {
        model_ids(body)
    }
}

/// The beta features of the configuration and those of the client, each once; none if there are none.
fn betas(config: &Config, client: &[HeaderValue]) -> Result<Option<HeaderValue>> {
    if config.betas.is_empty() && client.len() < 2 {
        return Ok(client.first().cloned());
    }
    let requested = client.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut all: Vec<&str> = Vec::new();
    for beta in config.betas.iter().map(String::as_str).chain(requested.map(str::trim)) {
        if !beta.is_empty() && !all.contains(&beta) {
            all.push(beta);
        }
    }
    HeaderValue::from_str(&all.join(",")).map(Some).map_err(Error::internal)
}
