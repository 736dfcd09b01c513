//! OpenAI's Responses API, which is forwarded unchanged; its usage is extracted on the way.
//!
//! Source: the API reference, "Responses" (platform.openai.com/docs/api-reference/responses): the response and the
//! events `response.completed`, `response.incomplete` and `response.failed` hold the complete response with its
//! `usage`; one of the three is the last event, and there is no `[DONE]`. `error` is an event of its own. Some
//! compatible servers do send `[DONE]` after the last event.

use bytes::Bytes;
use loam_kernel::Result;
use memchr::memmem;
use serde::Deserialize;

use crate::sse::{Inspector, PassThroughStream, Verdict, data};
use crate::{CompleteResponse, Forward, Reader, Usage};

/// The Responses API's `usage`.
#[derive(Debug, Deserialize)]
struct WireUsage {
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

impl From<WireUsage> for Usage {
    fn from(usage: WireUsage) -> Self {
        let cached = usage.input_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
        Self::new(usage.input_tokens, usage.output_tokens, cached, 0)
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
    usage: Option<WireUsage>,
    #[serde(default)]
    error: Option<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(default)]
    message: String,
}

/// The data extracted from the events.
#[derive(Debug, Default)]
struct Progress {
    usage: Option<Usage>,
    failure: Option<String>,
}

/// The event types that may hold this data.
const RELEVANT_TYPES: [&[u8]; 4] =
    [b"\"response.completed\"", b"\"response.incomplete\"", b"\"response.failed\"", b"\"error\""];

impl Inspector for Progress {
    fn is_relevant(&self, bytes: &[u8]) -> bool {
        RELEVANT_TYPES.iter().any(|end| memmem::find(bytes, end).is_some())
    }

    fn inspect(&mut self, event: &[u8]) -> Verdict {
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

/// Reads a response of the Responses API.
pub(crate) struct Responses(PassThroughStream<Progress>);

impl Responses {
    pub(crate) fn new() -> Self {
        Self(PassThroughStream::with_inspector(Progress::default()))
    }
}

impl Reader for Responses {
    fn read_complete(&mut self, body: Bytes) -> Result<CompleteResponse> {
        let usage = serde_json::from_slice::<Response>(&body).ok().and_then(|response| response.usage);
        Ok(CompleteResponse { usage: usage.map(Usage::from), body })
    }

    fn push(&mut self, chunk: Bytes) -> Forward {
        self.0.push(chunk)
    }

    fn finish(&mut self) -> Bytes {
        self.0.finish()
    }

    fn usage(&self) -> Option<Usage> {
        self.0.inspector.usage
    }

    fn failure(&self) -> Option<String> {
        self.0.inspector.failure.clone()
    }
}
