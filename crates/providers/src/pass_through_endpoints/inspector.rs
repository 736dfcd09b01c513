//! Inspects a response that is passed through: its usage and quantity, its end, and an error in its place.

use serde_json::Value;

use super::counted::{reported, usage};
use crate::sse::{Inspector, Verdict};
use crate::{Endpoint, Quantity, ReportedError, ResponseError, Unit, Usage};

/// The data extracted from a response.
#[derive(Debug)]
pub(crate) struct EndpointInspector {
    endpoint: Endpoint,
    usage: Option<Usage>,
    quantity: Option<Quantity>,
    failure: Option<ReportedError>,
    is_complete: bool,
}

impl EndpointInspector {
    /// `requested` is the quantity that the request asks for.
    pub(crate) fn new(endpoint: Endpoint, requested: Option<Quantity>) -> Self {
        // of images, those count that were made
        let quantity = requested.filter(|_| endpoint.returns_bytes());
        Self { endpoint, usage: None, quantity, failure: None, is_complete: false }
    }

    /// A transcript may be plain text or subtitles.
    fn is_plain_text(&self, body: &[u8]) -> bool {
        let text = body.trim_ascii_start();
        self.endpoint.takes_form() && !text.is_empty() && !text.starts_with(b"{") && !is_html(text)
    }
}

fn is_html(text: &[u8]) -> bool {
    ["<!doctype", "<html"]
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes())))
}

impl Inspector for EndpointInspector {
    fn inspect_complete(&mut self, body: &[u8]) -> Result<Option<Usage>, ResponseError> {
        if self.is_plain_text(body) {
            return Ok(None);
        }
        let json: Value =
            serde_json::from_slice(body).map_err(|error| ResponseError::unreadable(body, &error))?;
        if let Some(reported) = ReportedError::of(&json) {
            return Err(ResponseError::Reported(reported));
        }
        match self.endpoint.result_field() {
            Some(field) if json[field].is_null() => {
                return Err(ResponseError::without_content(&json, &format!("it has no {field}")));
            }
            None => return Err(ResponseError::without_content(&json, "it is JSON")),
            Some(_) => {}
        }
        self.quantity = reported(self.endpoint, &json);
        Ok(usage(&json))
    }

    /// Events are few.
    fn skim(&mut self, _events: &[u8]) -> bool {
        true
    }

    fn inspect(&mut self, data: &[u8]) -> Verdict {
        if data == b"[DONE]" {
            self.is_complete = true;
            return Verdict::Last;
        }
        let Ok(event) = serde_json::from_slice::<Value>(data) else { return Verdict::Pass };
        self.failure = self.failure.take().or_else(|| ReportedError::of(&event));
        self.usage = usage(&event).or(self.usage);
        self.quantity = reported(self.endpoint, &event).or(self.quantity);
        let kind = event["type"].as_str().unwrap_or_default();
        if kind.ends_with(".done") {
            self.is_complete = true;
            return Verdict::Last;
        }
        // of several images, each has such an event
        if kind.ends_with(".completed") {
            self.is_complete = true;
            let before = self.quantity.map_or(0, |quantity| quantity.thousandths / 1000);
            self.quantity = Some(Quantity::whole(Unit::Images, before + 1));
        }
        // chunks of servers that stream transcripts as they stream chats
        if event["choices"][0]["finish_reason"].is_string() {
            self.is_complete = true;
        }
        Verdict::Pass
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn quantity(&self) -> Option<Quantity> {
        self.quantity
    }

    fn failure(&self) -> Option<&ReportedError> {
        self.failure.as_ref()
    }

    fn is_complete(&self) -> bool {
        self.is_complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_response_is_an_error() {
        for (endpoint, body) in [
            (Endpoint::Transcriptions, ""),
            (Endpoint::Transcriptions, " <!DOCTYPE html><p>log in"),
            (Endpoint::Transcriptions, r#"{"error":{"message":"no"}}"#),
            (Endpoint::Moderations, r#"{"id":"m"}"#),
            (Endpoint::Rerank, "nothing"),
            (Endpoint::Speech, r#"{"detail":"no such voice"}"#),
        ] {
            let inspected = EndpointInspector::new(endpoint, None).inspect_complete(body.as_bytes());
            assert!(inspected.is_err(), "{endpoint:?} {body}");
        }
        for body in ["1\n00:00:00,000 --> 00:00:02,000\nhello\n", "12\n", r#"{"text":""}"#] {
            let mut inspector = EndpointInspector::new(Endpoint::Transcriptions, None);
            assert_eq!(inspector.inspect_complete(body.as_bytes()).expect("a transcript"), None, "{body}");
        }
    }

    #[test]
    fn streams_end_with_their_own_events() {
        let mut transcript = EndpointInspector::new(Endpoint::Transcriptions, None);
        let done = br#"{"type":"transcript.text.done","text":"hi","usage":{"type":"tokens","input_tokens":5,"output_tokens":2}}"#;
        assert_eq!(transcript.inspect(br#"{"type":"transcript.text.delta","delta":"hi"}"#), Verdict::Pass);
        assert!(!transcript.is_complete());
        assert_eq!(transcript.inspect(done), Verdict::Last);
        assert_eq!(transcript.usage().map(|usage| usage.total_tokens), Some(7));

        let mut images = EndpointInspector::new(Endpoint::Images, Some(Quantity::whole(Unit::Images, 4)));
        let completed = br#"{"type":"image_generation.completed","b64_json":"AA=="}"#;
        images.inspect(br#"{"type":"image_generation.partial_image","b64_json":"AA=="}"#);
        assert_eq!(images.quantity(), None);
        assert_eq!((images.inspect(completed), images.inspect(completed)), (Verdict::Pass, Verdict::Pass));
        assert_eq!(images.quantity(), Some(Quantity::whole(Unit::Images, 2)));

        let spoken = Quantity::whole(Unit::Characters, 9);
        let mut speech = EndpointInspector::new(Endpoint::Speech, Some(spoken));
        assert_eq!(speech.inspect(br#"{"type":"speech.audio.done"}"#), Verdict::Last);
        assert_eq!(speech.quantity(), Some(spoken));
    }
}
