//! The wire protocol of Dify.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use loam_kernel::{Error, Result};

use super::KIND;
use super::decoder::DifyDecoder;
use super::error::error;
use super::request::request;
use crate::anthropic::MessagesEncoder;
use crate::completions::{CompletionsEncoder, name_prompt};
use crate::omitted::Omitted;
use crate::openai::ChatEncoder;
use crate::responses::{ResponsesEncoder, name_fields};
use crate::translate::Translator;
use crate::wire::{Outgoing, ProviderRequest, Reader, Wire, secret_header};
use crate::{Config, Endpoint, Feature};

/// A Dify application.
pub(crate) struct Dify;

impl Wire for Dify {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn unsupported(&self, endpoint: Endpoint) -> Vec<Feature> {
        let mut unsupported = vec![
            Feature::Embeddings,
            Feature::Speech,
            Feature::Transcriptions,
            Feature::ImageGeneration,
            Feature::Moderations,
            Feature::Rerank,
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
        match endpoint {
            Endpoint::Messages => unsupported.extend([Feature::Prefill, Feature::ServerTools]),
            Endpoint::Responses => unsupported.push(Feature::ServerTools),
            _ => {}
        }
        unsupported
    }

    fn headers(&self, _config: &Config, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        key.map(|key| secret_header("authorization", &format!("Bearer {key}"))).into_iter().collect()
    }

    fn outgoing(&self, config: &Config, provider_request: &ProviderRequest<'_>) -> Result<Outgoing> {
        self.serves(provider_request.endpoint)?;
        let mut omitted = Omitted::default();
        let body = request(config, provider_request, &mut omitted);
        let body = match provider_request.endpoint {
            Endpoint::Responses => body.map_err(name_fields)?,
            Endpoint::Completions => body.map_err(name_prompt)?,
            _ => body?,
        };
        let omitted = omitted.into_notes();
        Ok(Outgoing { path: "/chat-messages", headers: Vec::new(), body, omitted })
    }

    fn reader(&self, _config: &Config, provider_request: &ProviderRequest<'_>) -> Box<dyn Reader> {
        let decoder = DifyDecoder::default();
        match provider_request.endpoint {
            Endpoint::Messages => {
                Box::new(Translator::new(decoder, MessagesEncoder::new(provider_request.model)))
            }
            Endpoint::Responses => {
                Box::new(Translator::new(decoder, ResponsesEncoder::new(provider_request)))
            }
            Endpoint::Completions => {
                Box::new(Translator::new(decoder, CompletionsEncoder::new(KIND, provider_request)))
            }
            _ => Box::new(Translator::new(
                decoder,
                ChatEncoder::new(provider_request.model, provider_request.envelope.wants_usage),
            )),
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
