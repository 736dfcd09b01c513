//! A response from a provider of Anthropic's format for a client of the same: it is forwarded unchanged, and its
//! usage is extracted on the way.

use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::usage::WireUsage;
use crate::sse::{Inspector, Verdict};
use crate::usage::lenient;
use crate::{ReportedError, ResponseError, Usage};

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    message: Option<StartedMessage>,
    #[serde(default, deserialize_with = "lenient")]
    delta: Option<Delta>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct StartedMessage {
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<WireUsage>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// The data extracted from a response.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    usage: WireUsage,
    /// The final usage has arrived; before that, the completion tokens are unknown.
    usage_complete: bool,
    failure: Option<ReportedError>,
    is_complete: bool,
}

impl Inspector for Progress {
    fn inspect_complete(&mut self, body: &[u8]) -> Result<Option<Usage>, ResponseError> {
        let unreadable = |error| ResponseError::unreadable(body, &error);
        let message: Message<'_> = serde_json::from_slice(body).map_err(unreadable)?;
        if message.error.is_some() || message.content.is_none() {
            ResponseError::check(body, "content")?;
        }
        Ok(message.usage.map(Usage::from))
    }

    fn skim(&mut self, events: &[u8]) -> bool {
        // `message_start`, `message_delta` and `message_stop`, and not the deltas that are most of a stream
        memmem::find(events, b"\"message_").is_some() || memmem::find(events, b"\"error\"").is_some()
    }

    fn inspect(&mut self, data: &[u8]) -> Verdict {
        let Ok(event) = serde_json::from_slice::<Event>(data) else { return Verdict::Pass };
        match event.r#type.as_str() {
            "message_start" => {
                self.usage.update(event.message.and_then(|message| message.usage).unwrap_or_default());
            }
            "message_delta" => {
                self.usage_complete |= event.usage.is_some();
                self.usage.update(event.usage.unwrap_or_default());
                self.is_complete |= event.delta.is_some_and(|delta| delta.stop_reason.is_some());
            }
            "message_stop" => {
                self.is_complete = true;
                return Verdict::Last;
            }
            "content_block_start" | "content_block_delta" => {}
            _ => {
                let event: Value = serde_json::from_slice(data).unwrap_or_default();
                self.failure = self.failure.take().or_else(|| ReportedError::of(&event));
            }
        }
        Verdict::Pass
    }

    fn usage(&self) -> Option<Usage> {
        self.usage_complete.then(|| self.usage.into())
    }

    fn failure(&self) -> Option<&ReportedError> {
        self.failure.as_ref()
    }

    fn is_complete(&self) -> bool {
        self.is_complete
    }
}
