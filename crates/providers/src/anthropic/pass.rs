//! An answer for a client of Anthropic's format from a provider of the same: it goes on to the byte, and its usage is
//! read on the side.

use bytes::Bytes;
use loam_kernel::Result;
use memchr::memmem;
use serde::Deserialize;

use super::usage::Counted;
use crate::sse::{Passing, Verdict, Watch, data};
use crate::{Forward, Reader, Usage, Whole};

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    usage: Option<Counted>,
    #[serde(default)]
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    usage: Option<Counted>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    message: String,
}

/// What is looked for among the events.
#[derive(Debug, Default)]
struct Progress {
    counted: Counted,
    /// The last count has come; before it, what was written is not known.
    whole: bool,
    failure: Option<String>,
}

impl Watch for Progress {
    fn concerns(&self, bytes: &[u8]) -> bool {
        // `message_start`, `message_delta` and `message_stop`, and not the deltas that are most of a stream
        memmem::find(bytes, b"\"message_").is_some() || memmem::find(bytes, b"\"error\"").is_some()
    }

    fn look(&mut self, event: &[u8]) -> Verdict {
        let Some(event) = data(event).and_then(|json| serde_json::from_slice::<Event>(json).ok()) else {
            return Verdict::Pass;
        };
        match event.r#type.as_str() {
            "message_start" => {
                self.counted.update(event.message.and_then(|message| message.usage).unwrap_or_default());
            }
            "message_delta" => {
                self.whole |= event.usage.is_some();
                self.counted.update(event.usage.unwrap_or_default());
            }
            "message_stop" => return Verdict::Last,
            "error" => self.failure = Some(event.error.map(|error| error.message).unwrap_or_default()),
            _ => {}
        }
        Verdict::Pass
    }
}

/// Reads an answer that goes on as it came.
pub(crate) struct PassThrough(Passing<Progress>);

impl PassThrough {
    pub(crate) fn new() -> Self {
        Self(Passing::watched_by(Progress::default()))
    }
}

impl Reader for PassThrough {
    fn whole(&mut self, body: Bytes) -> Result<Whole> {
        let usage = serde_json::from_slice::<Message>(&body).ok().and_then(|message| message.usage);
        Ok(Whole { usage: usage.map(Usage::from), body })
    }

    fn push(&mut self, chunk: Bytes) -> Forward {
        self.0.push(chunk)
    }

    fn finish(&mut self) -> Bytes {
        self.0.finish()
    }

    fn usage(&self) -> Option<Usage> {
        self.0.watch.whole.then(|| self.0.watch.counted.into())
    }

    fn failure(&self) -> Option<String> {
        self.0.watch.failure.clone()
    }
}
