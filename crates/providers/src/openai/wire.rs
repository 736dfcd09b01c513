//! The kind `openai`, whose format is the client's own: everything passes through.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use loam_kernel::{Error, Kind, Result};

use super::{Events, model_ids, usage_of};
use crate::wire::{Ask, Endpoint, Forward, Outgoing, Reader, Whole, Wire, secret_header};
use crate::{Config, Usage};

/// OpenAI, and every server that speaks its API.
pub struct OpenAi;

impl Wire for OpenAi {
    fn serves(&self, endpoint: Endpoint) -> Result<()> {
        match endpoint {
            Endpoint::ChatCompletions | Endpoint::Embeddings => Ok(()),
            endpoint => Err(Error::new(
                Kind::Invalid,
                "unsupported_endpoint",
                format!("providers of kind `openai` don't serve {}", endpoint.path()),
            )),
        }
    }

    fn headers(&self, config: &Config, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let bearer = key.map(|key| secret_header("authorization", &format!("Bearer {key}")));
        let organization =
            config.organization.as_ref().map(|value| secret_header("openai-organization", value));
        let project = config.project.as_ref().map(|value| secret_header("openai-project", value));
        [bearer, organization, project].into_iter().flatten().collect()
    }

    fn outgoing(&self, _config: &Config, ask: &Ask<'_>) -> Result<Outgoing> {
        self.serves(ask.endpoint)?;
        let body = ask.head.rewrite(ask.body, ask.model);
        Ok(Outgoing { path: ask.endpoint.path(), headers: Vec::new(), body })
    }

    fn reader(&self, ask: &Ask<'_>) -> Box<dyn Reader> {
        Box::new(PassThrough(Events::new(ask.head.stream && !ask.head.wants_usage)))
    }

    fn model_ids(&self, body: &[u8]) -> Option<Vec<String>> {
        model_ids(body)
    }
}

/// An answer that goes on as it came.
struct PassThrough(Events);

impl Reader for PassThrough {
    fn whole(&mut self, body: Bytes) -> Result<Whole> {
        let usage = usage_of(&body);
        Ok(Whole { body, usage })
    }

    fn push(&mut self, chunk: Bytes) -> Forward {
        self.0.push(chunk)
    }

    fn finish(&mut self) -> Bytes {
        self.0.finish()
    }

    fn usage(&self) -> Option<Usage> {
        self.0.usage()
    }
}
