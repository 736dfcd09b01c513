//! Inspects a response in OpenAI's format while it is forwarded: chat completions and embeddings.
//!
//! It extracts the usage, which is hidden from a client that didn't request it, the end of a stream, which is delayed
//! until the call is settled, and an error in place of the response or in the middle of a stream.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::openai::{ChatOutput, DecodedChat};
use crate::sse::{Inspector, Verdict, last_event};
use crate::usage::lenient;
use crate::{ReportedError, ResponseError, Usage};

// built once: building one costs as much as searching a small chunk
static DONE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("[DONE]"));
static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));
static FINISH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"finish_reason\""));

/// The data extracted from a response.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    hide_usage: bool,
    usage: Option<Usage>,
    failure: Option<ReportedError>,
    is_complete: bool,
    /// What the response says, for a caller that takes it from here.
    decoded: Option<DecodedChat>,
}

/// A response, or a chunk of its stream.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<Usage>,
    #[serde(borrow, default)]
    choices: Option<&'a RawValue>,
    /// Of embeddings.
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lenient")]
    x_groq: Option<Groq>,
}

/// Groq's own place for the usage of a stream.
#[derive(Deserialize)]
struct Groq {
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<Usage>,
}

impl Wire<'_> {
    fn usage(&self) -> Option<Usage> {
        self.usage.or_else(|| self.x_groq.as_ref()?.usage)
    }
}

impl Chunks {
    /// `hide_usage`: the client didn't request the usage that Loam requests.
    pub(crate) fn new(hide_usage: bool) -> Self {
        Self { hide_usage, ..Self::default() }
    }
}

/// Whether one of the choices has a finish reason. Inside a text the quotes would be escaped.
fn finishes(events: &[u8]) -> bool {
    FINISH.find_iter(events).any(|at| {
        let rest = events[at + FINISH.needle().len()..].trim_ascii_start();
        let value = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        value.is_some_and(|value| value.starts_with(b"\"") && !value.starts_with(b"\"\""))
    })
}

/// The error that a response or a chunk reports: at its top, or in place of its first choice.
pub(crate) fn reported(json: &Value) -> Option<ReportedError> {
    let choice = &json["choices"][0];
    ReportedError::of(json).or_else(|| {
        ReportedError::of(choice).map(|error| ReportedError { body: choice.to_string(), ..error })
    })
}

impl Inspector for Chunks {
    fn keep_output(&mut self) {
        self.decoded = Some(DecodedChat::default());
    }

    fn output(&mut self) -> Option<&mut ChatOutput> {
        self.decoded.as_mut().map(|decoded| &mut decoded.output)
    }

    fn inspect_complete(&mut self, body: &[u8]) -> Result<Option<Usage>, ResponseError> {
        if let Some(decoded) = &mut self.decoded {
            decoded.complete(body)?;
        }
        let wire: Wire<'_> =
            serde_json::from_slice(body).map_err(|error| ResponseError::unreadable(body, &error))?;
        let content = wire.choices.or(wire.data).map(RawValue::get).unwrap_or_default();
        let has_content = content.starts_with('[') && !is_empty_array(content);
        if has_content && wire.error.is_none() && ERROR.find(content.as_bytes()).is_none() {
            return Ok(wire.usage());
        }
        let json: Value =
            serde_json::from_slice(body).map_err(|error| ResponseError::unreadable(body, &error))?;
        match reported(&json) {
            Some(reported) => Err(ResponseError::Reported(reported)),
            None if has_content => Ok(wire.usage()),
            None => Err(ResponseError::without_content(&json, "it has no choices")),
        }
    }

    fn skim(&mut self, events: &[u8]) -> bool {
        self.is_complete = self.is_complete || finishes(events);
        // an error is the last event, or the last before the end, so most bytes need no search for it
        self.decoded.is_some()
            || USAGE.find(events).is_some()
            || DONE.find(events).is_some()
            || ERROR.find(last_event(events)).is_some()
    }

    fn inspect(&mut self, data: &[u8]) -> Verdict {
        if let Some(decoded) = &mut self.decoded {
            decoded.event(data);
        }
        if data == b"[DONE]" {
            self.is_complete = true;
            return Verdict::Last;
        }
        if memmem::find(data, b"\"usage\"").is_none() && memmem::find(data, b"\"error\"").is_none() {
            return Verdict::Pass;
        }
        let chunk =
            std::str::from_utf8(data).ok().and_then(|json| serde_json::from_str::<Wire<'_>>(json).ok());
        let Some(chunk) = chunk else { return Verdict::Pass };
        if memmem::find(data, b"\"error\"").is_some() {
            let json: Value = serde_json::from_slice(data).unwrap_or_default();
            self.failure = self.failure.take().or_else(|| reported(&json));
        }
        let usage = chunk.usage();
        self.usage = usage.or(self.usage);
        let empty = chunk.choices.is_some_and(|choices| is_empty_array(choices.get()));
        if self.hide_usage && usage.is_some() && empty { Verdict::Hide } else { Verdict::Pass }
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

fn is_empty_array(json: &str) -> bool {
    json.trim_start_matches('[').trim_end_matches(']').trim().is_empty()
}

#[cfg(test)]
mod tests;
