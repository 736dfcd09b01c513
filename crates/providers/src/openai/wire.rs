//! OpenAI and the kinds that speak its format: what is in that format already passes through.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use loam_kernel::{Error, Result};
use serde_json::{Map, Value};

use super::refuse::refuse;
use super::responses::Responses;
use super::{ChatSource, Events, error_from, model_ids, usage_of};
use crate::anthropic::{MessagesSink, to_chat};
use crate::piece::Translated;
use crate::wire::{Ask, Endpoint, Forward, Outgoing, Reader, Whole, Wire, secret_header};
use crate::{Config, Feature, Usage, Ways};

/// A kind that speaks OpenAI's format, with its own ways.
pub(crate) struct OpenAi {
    pub(crate) ways: Ways,
    pub(crate) cannot: &'static [Feature],
    pub(crate) error: fn(&str, u16, &[u8], Option<Duration>) -> Error,
}

/// The kind `openai`: OpenAI itself, and every server that speaks its API and has no kind of its own.
///
/// Its reasoning models want the limit as `max_completion_tokens`, which servers that only speak the API may not know:
/// so the translation for clients of Anthropic's format writes the one or the other, by the address.
pub(crate) static OPENAI: OpenAi = OpenAi {
    ways: Ways { kind: "openai", max_tokens: "max_tokens", keeps_thoughts: false, think },
    cannot: &[],
    error: error_from,
};

/// What Anthropic's format has and OpenAI's hasn't.
const UNTRANSLATED: [Feature; 3] = [Feature::Documents, Feature::Prefill, Feature::ServerTools];

/// OpenAI's own address.
const OWN: &str = "https://api.openai.com/";

/// An effort that the client chose is passed on. That thoughts are on or off is not: most models refuse to be told.
fn think(_thinking: Option<&Value>, effort: Option<&str>, chat: &mut Map<String, Value>) {
    if let Some(effort) = effort {
        // the levels have the same names, but for the last
        let effort = if effort == "max" { "xhigh" } else { effort };
        chat.insert("reasoning_effort".to_owned(), effort.into());
    }
}

impl OpenAi {
    fn translated(&self, config: &Config, ask: &Ask<'_>) -> Result<Bytes> {
        let mut chat = to_chat(&self.ways, ask)?;
        if config.base_url.starts_with(OWN) {
            let limit = chat[self.ways.max_tokens].take();
            chat["max_completion_tokens"] = limit;
            chat.as_object_mut().map(|chat| chat.remove(self.ways.max_tokens));
        }
        Ok(chat.to_string().into())
    }
}

impl Wire for OpenAi {
    fn kind(&self) -> &'static str {
        self.ways.kind
    }

    fn cannot(&self, endpoint: Endpoint) -> Vec<Feature> {
        let translated: &[Feature] = if endpoint == Endpoint::Messages { &UNTRANSLATED } else { &[] };
        self.cannot.iter().chain(translated).copied().collect()
    }

    fn headers(&self, config: &Config, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>> {
        let bearer = key.map(|key| secret_header("authorization", &format!("Bearer {key}")));
        let organization =
            config.organization.as_ref().map(|value| secret_header("openai-organization", value));
        let project = config.project.as_ref().map(|value| secret_header("openai-project", value));
        [bearer, organization, project].into_iter().flatten().collect()
    }

    fn outgoing(&self, config: &Config, ask: &Ask<'_>) -> Result<Outgoing> {
        self.serves(ask.endpoint)?;
        let body = match ask.endpoint {
            Endpoint::ChatCompletions | Endpoint::Embeddings => ask.head.rewrite(ask.body, ask.model),
            Endpoint::Responses => ask.head.with_model(ask.body, ask.model),
            Endpoint::Messages => self.translated(config, ask)?,
        };
        if matches!(ask.endpoint, Endpoint::ChatCompletions | Endpoint::Messages) {
            refuse(self.ways.kind, self.cannot, ask.endpoint, &body)?;
        }
        let path = match ask.endpoint {
            Endpoint::Messages => Endpoint::ChatCompletions.path(),
            endpoint => endpoint.path(),
        };
        Ok(Outgoing { path, headers: Vec::new(), body })
    }

    fn reader(&self, ask: &Ask<'_>) -> Box<dyn Reader> {
        match ask.endpoint {
            Endpoint::Responses => Box::new(Responses::new()),
            Endpoint::Messages => {
                Box::new(Translated::new(ChatSource::default(), MessagesSink::new(ask.model)))
            }
            _ => Box::new(PassThrough(Events::new(ask.head.stream && !ask.head.wants_usage))),
        }
    }

    fn model_ids(&self, body: &[u8]) -> Option<Vec<String>> {
        model_ids(body)
    }

    fn error(&self, provider: &str, status: u16, body: &[u8], retry_after: Option<Duration>) -> Error {
        (self.error)(provider, status, body, retry_after)
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

    fn failure(&self) -> Option<String> {
        self.0.failure().map(str::to_owned)
    }
}
