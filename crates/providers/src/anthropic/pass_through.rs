//! A response from a provider of Anthropic's format for a client of the same: it is forwarded unchanged, and its
//! usage is extracted on the way.

use bytes::Bytes;
use loam_kernel::Result;
use memchr::memmem;
use serde::Deserialize;

use super::usage::WireUsage;
use crate::sse::{Inspector, PassThroughStream, Verdict, data};
use crate::{CompleteResponse, Forward, Reader, Usage};

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(default)]
    error: Option<WireError>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(default)]
    message: String,
}

/// The data extracted from the events.
#[derive(Debug, Default)]
struct Progress {
    usage: WireUsage,
    /// The final usage has arrived; before that, the completion tokens are unknown.
    usage_complete: bool,
    failure: Option<String>,
}

impl Inspector for Progress {
    fn is_relevant(&self, bytes: &[u8]) -> bool {
        // `message_start`, `message_delta` and `message_stop`, and not the deltas that are most of a stream
        memmem::find(bytes, b"\"message_").is_some() || memmem::find(bytes, b"\"error\"").is_some()
    }

    fn inspect(&mut self, event: &[u8]) -> Verdict {
        let Some(event) = data(event).and_then(|json| serde_json::from_slice::<Event>(json).ok()) else {
            return Verdict::Pass;
        };
        match event.r#type.as_str() {
            "message_start" => {
                self.usage.update(event.message.and_then(|message| message.usage).unwrap_or_default());
            }
            "message_delta" => {
                self.usage_complete |= event.usage.is_some();
                self.usage.update(event.usage.unwrap_or_default());
            }
            "message_stop" => return Verdict::Last,
            "error" => self.failure = Some(event.error.map(|error| error.message).unwrap_or_default()),
            _ => {}
        }
        Verdict::Pass
    }
}

/// Reads a response that is forwarded unchanged.
pub(crate) struct PassThrough(PassThroughStream<Progress>);

impl PassThrough {
    pub(crate) fn new() -> Self {
        Self(PassThroughStream::with_inspector(Progress::default()))
    }
}

impl Reader for PassThrough {
    fn read_complete(&mut self, body: Bytes) -> Result<CompleteResponse> {
        let usage = serde_json::from_slice::<Message>(&body).ok().and_then(|message| message.usage);
        Ok(CompleteResponse { usage: usage.map(Usage::from), body })
    }

    fn push(&mut self, chunk: Bytes) -> Forward {
        self.0.push(chunk)
    }

    fn finish(&mut self) -> Bytes {
        self.0.finish()
    }

    fn usage(&self) -> Option<Usage> {
        self.0.inspector.usage_complete.then(|| self.0.inspector.usage.into())
    }

    fn failure(&self) -> Option<String> {
        self.0.inspector.failure.clone()
    }
}
