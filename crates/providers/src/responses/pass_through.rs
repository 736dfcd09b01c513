//! OpenAI's Responses API, which is forwarded unchanged; its usage is extracted on the way.
//!
//! Source: the API reference, "Responses" (platform.openai.com/docs/api-reference/responses): the response and the
//! events `response.completed`, `response.incomplete` and `response.failed` hold the complete response with its
//! `usage`; one of the three is the last event, and there is no `[DONE]`. `error` is an event of its own. Some
//! compatible servers do send `[DONE]` after the last event.

use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::sse::{Inspector, Verdict};
use crate::usage::{lenient, tokens};
use crate::{ReportedError, ResponseError, Usage};

/// The Responses API's `usage`.
#[derive(Debug, Deserialize)]
struct WireUsage {
    #[serde(default, deserialize_with = "tokens")]
    input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "tokens")]
    output_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    input_tokens_details: Option<Details>,
}

#[derive(Debug, Deserialize)]
struct Details {
    #[serde(default, deserialize_with = "tokens")]
    cached_tokens: Option<u64>,
}

impl WireUsage {
    /// None if it holds no number.
    fn usage(&self) -> Option<Usage> {
        let cached =
            self.input_tokens_details.as_ref().and_then(|details| details.cached_tokens).unwrap_or(0);
        let (input, output) = (self.input_tokens, self.output_tokens);
        input.or(output)?;
        Some(Usage::new(input.unwrap_or(0), output.unwrap_or(0), cached, 0))
    }
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    r#type: String,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<WireUsage>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// The data extracted from a response.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    usage: Option<Usage>,
    failure: Option<ReportedError>,
    is_complete: bool,
}

/// The event types that may hold this data.
const RELEVANT_TYPES: [&[u8]; 4] =
    [b"\"response.completed\"", b"\"response.incomplete\"", b"\"response.failed\"", b"\"error\""];

impl Inspector for Progress {
    fn inspect_complete(&mut self, body: &[u8]) -> Result<Option<Usage>, ResponseError> {
        let unreadable = |error| ResponseError::unreadable(body, &error);
        let response: Response<'_> = serde_json::from_slice(body).map_err(unreadable)?;
        if response.error.is_some() || response.output.is_none() {
            ResponseError::check(body, "output")?;
        }
        Ok(response.usage.and_then(|usage| usage.usage()))
    }

    fn skim(&mut self, events: &[u8]) -> bool {
        RELEVANT_TYPES.iter().any(|end| memmem::find(events, end).is_some())
    }

    fn inspect(&mut self, data: &[u8]) -> Verdict {
        let Ok(event) = serde_json::from_slice::<Event>(data) else { return Verdict::Pass };
        match event.r#type.as_str() {
            "response.completed" | "response.incomplete" | "response.failed" => {
                let event: Value = serde_json::from_slice(data).unwrap_or_default();
                let response = &event["response"];
                let usage = serde_json::from_value::<WireUsage>(response["usage"].clone()).ok();
                self.usage = usage.and_then(|usage| usage.usage()).or(self.usage);
                self.failure = ReportedError::of(response);
                self.is_complete = true;
                Verdict::Last
            }
            _ => {
                let event: Value = serde_json::from_slice(data).unwrap_or_default();
                self.failure = self.failure.take().or_else(|| ReportedError::of(&event));
                Verdict::Pass
            }
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn failure(&self) -> Option<&ReportedError> {
        self.failure.as_ref()
    }

    fn is_complete(&self) -> bool {
        self.is_complete
    }
}
