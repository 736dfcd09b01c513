//! OpenAI's Responses API, which passes through; its usage is read on the side.
//!
//! From the API reference, "Responses" (platform.openai.com/docs/api-reference/responses): the answer and the events
//! `response.completed`, `response.incomplete` and `response.failed` hold the whole response with its `usage`; one of
//! the three is the last event, and there is no `[DONE]`. `error` is an event of its own. Some compatible servers do
//! send `[DONE]`, as a last event behind the last.

use bytes::Bytes;
use loam_kernel::Result;
use memchr::memmem;
use serde::Deserialize;

use crate::sse::{Passing, Verdict, Watch, data};
use crate::{Forward, Reader, Usage, Whole};

/// What the responses API says of usage.
#[derive(Debug, Deserialize)]
struct Counted {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    input_tokens_details: Option<Details>,
}

#[derive(Debug, Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

impl From<Counted> for Usage {
    fn from(counted: Counted) -> Self {
        let cached = counted.input_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
        Self::new(counted.input_tokens, counted.output_tokens, cached, 0)
    }
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    response: Option<Response>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    usage: Option<Counted>,
    #[serde(default)]
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
}

/// What is looked for among the events.
#[derive(Debug, Default)]
struct Progress {
    usage: Option<Usage>,
    failure: Option<String>,
}

/// The events that may hold what is looked for.
const ENDS: [&[u8]; 4] =
    [b"\"response.completed\"", b"\"response.incomplete\"", b"\"response.failed\"", b"\"error\""];

impl Watch for Progress {
    fn concerns(&self, bytes: &[u8]) -> bool {
        ENDS.iter().any(|end| memmem::find(bytes, end).is_some())
    }

    fn look(&mut self, event: &[u8]) -> Verdict {
        let Some(event) = data(event).and_then(|json| serde_json::from_slice::<Event>(json).ok()) else {
            return Verdict::Pass;
        };
        match event.r#type.as_str() {
            "response.completed" | "response.incomplete" | "response.failed" => {
                let (usage, error) =
                    event.response.map_or((None, None), |response| (response.usage, response.error));
                self.usage = usage.map(Usage::from).or(self.usage);
                self.failure = error.map(|error| error.message);
                Verdict::Last
            }
            "error" => {
                self.failure =
                    Some(event.message.unwrap_or_else(|| "the provider gave no reason".to_owned()));
                Verdict::Pass
            }
            _ => Verdict::Pass,
        }
    }
}

/// Reads an answer of the responses API.
pub(crate) struct Responses(Passing<Progress>);

impl Responses {
    pub(crate) fn new() -> Self {
        Self(Passing::watched_by(Progress::default()))
    }
}

impl Reader for Responses {
    fn whole(&mut self, body: Bytes) -> Result<Whole> {
        let usage = serde_json::from_slice::<Response>(&body).ok().and_then(|answer| answer.usage);
        Ok(Whole { usage: usage.map(Usage::from), body })
    }

    fn push(&mut self, chunk: Bytes) -> Forward {
        self.0.push(chunk)
    }

    fn finish(&mut self) -> Bytes {
        self.0.finish()
    }

    fn usage(&self) -> Option<Usage> {
        self.0.watch.usage
    }

    fn failure(&self) -> Option<String> {
        self.0.watch.failure.clone()
    }
}
