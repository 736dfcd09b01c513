//! Parses a chat completion in OpenAI's format as it arrives, for calls that Loam itself makes, such as those of a
//! conversation's turns.

use loam_kernel::Result;

use super::content::arguments_text;
use crate::Usage;
use crate::openai::ChatDecoder;
use crate::sse::{MAX_EVENT, Splitter, data};
use crate::translate::{Decoder, ResponsePart, StopReason};

/// A fragment of a model's output, in the order in which it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// Text.
    Text(String),
    /// Reasoning text.
    Reasoning(String),
}

/// A tool call that the model requested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedToolCall {
    /// The model's id of the call.
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// The arguments: JSON, possibly truncated; `{}` if there are none.
    pub arguments: String,
}

/// How a response ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEnd {
    /// OpenAI's `finish_reason`: `stop`, `length`, `tool_calls`, `content_filter`; none if the model sent none.
    pub finish_reason: Option<&'static str>,
    /// The requested tool calls.
    pub tools: Vec<RequestedToolCall>,
    /// Token usage, if the provider reported it.
    pub usage: Option<Usage>,
}

/// Parses one response. NUL characters, which PostgreSQL can't store, become U+FFFD.
#[derive(Default)]
pub struct StreamParser {
    decoder: ChatDecoder,
    events: Splitter,
    end: StreamEnd,
    failure: Option<String>,
    done: bool,
}

impl StreamParser {
    /// Adds a chunk of a stream; returns the output that it holds.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<StreamEvent> {
        let mut events = Vec::new();
        if self.done {
            return events;
        }
        let fits = self.events.push(chunk);
        while let Some(event) = self.events.next() {
            self.event(&event, &mut events);
        }
        if !fits && !self.done {
            self.fail(format!("the provider sent an event of more than {MAX_EVENT} bytes"));
        }
        events
    }

    /// Parses a response that is not streamed.
    pub fn read_complete(&mut self, body: &[u8]) -> Result<Vec<StreamEvent>> {
        let mut events = Vec::new();
        for part in self.decoder.decode_complete(body)? {
            self.take(part, &mut events);
        }
        self.done = true;
        Ok(events)
    }

    /// Ends the stream: returns how the response ended, or what went wrong.
    pub fn end(mut self) -> Result<StreamEnd, String> {
        if !self.done {
            let rest = self.events.rest();
            self.event(&rest, &mut Vec::new());
        }
        for tool in &mut self.end.tools {
            tool.arguments = arguments_text(&std::mem::take(&mut tool.arguments).into());
        }
        match self.failure {
            Some(failure) => Err(failure),
            None if self.done || self.end.finish_reason.is_some() => Ok(self.end),
            None => Err("the provider ended its stream before the response was complete".to_owned()),
        }
    }

    fn event(&mut self, event: &[u8], events: &mut Vec<StreamEvent>) {
        let mut parts = Vec::new();
        if let Some(data) = data(event) {
            self.decoder.event(&data, &mut parts);
        }
        for part in parts {
            self.take(part, events);
        }
    }

    fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
        self.done = true;
    }

    fn take(&mut self, part: ResponsePart, events: &mut Vec<StreamEvent>) {
        let tools = &mut self.end.tools;
        match part {
            ResponsePart::Text(text) => events.push(StreamEvent::Text(storable(text))),
            ResponsePart::Thinking(text) => events.push(StreamEvent::Reasoning(storable(text))),
            ResponsePart::Tool { index, id, name } => {
                tools.resize_with(tools.len().max(index + 1), RequestedToolCall::default);
                (tools[index].id, tools[index].name) = (storable(id), storable(name));
            }
            ResponsePart::Arguments { index, json } => {
                if let Some(tool) = tools.get_mut(index) {
                    tool.arguments.push_str(&storable(json));
                }
            }
            ResponsePart::Stop(stop) => {
                self.end.finish_reason = Some(match stop {
                    StopReason::End | StopReason::Sequence(_) => "stop",
                    StopReason::Length => "length",
                    StopReason::Tools => "tool_calls",
                    StopReason::Filtered => "content_filter",
                });
            }
            ResponsePart::Usage(usage) => self.end.usage = Some(usage),
            ResponsePart::Error(error) => self.fail(error.message),
            ResponsePart::End => self.done = true,
            ResponsePart::Start { .. } | ResponsePart::Extra(..) => {}
        }
    }
}

fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(chunk: &Value) -> String {
        format!("data: {chunk}\n\n")
    }

    fn delta(delta: &Value, reason: Option<&str>) -> String {
        event(&json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}))
    }

    fn stream() -> String {
        delta(&json!({"reasoning_content": "hm"}), None)
            + &delta(&json!({"content": "Hel\u{0}"}), None)
            + &delta(&json!({"content": "lo"}), None)
            + &delta(
                &json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{\"a\""}}]}),
                None,
            )
            + &delta(
                &json!({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
                Some("tool_calls"),
            )
            + &event(
                &json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}),
            )
            + "data: [DONE]\n\n"
    }

    #[test]
    fn the_output_is_independent_of_chunk_boundaries() {
        for size in [1, 2, 7, 64, 10_000] {
            let (mut parser, mut events) = (StreamParser::default(), Vec::new());
            for chunk in stream().as_bytes().chunks(size) {
                events.extend(parser.push(chunk));
            }
            let text = |text: &str| StreamEvent::Text(text.to_owned());
            assert_eq!(events, [StreamEvent::Reasoning("hm".to_owned()), text("Hel\u{fffd}"), text("lo")]);
            let end = parser.end().expect("a complete response");
            assert_eq!(end.finish_reason, Some("tool_calls"));
            let tool = RequestedToolCall {
                id: "c1".to_owned(),
                name: "f".to_owned(),
                arguments: "{\"a\":1}".to_owned(),
            };
            assert_eq!(end.tools, [tool]);
            assert_eq!(end.usage.map(|usage| usage.total_tokens), Some(7));
        }
    }

    #[test]
    fn a_truncated_stream_and_an_error_event_are_failures() {
        let mut cut = StreamParser::default();
        assert_eq!(cut.push(delta(&json!({"content": "a"}), None).as_bytes()).len(), 1);
        assert!(cut.end().is_err_and(|why| why.contains("before the response was complete")));
        let mut failing = StreamParser::default();
        failing.push(event(&json!({"error": {"message": "overloaded"}})).as_bytes());
        assert!(failing.end().is_err_and(|why| why.contains("overloaded")));
    }

    #[test]
    fn a_response_that_is_not_streamed_is_parsed_too() {
        let mut parser = StreamParser::default();
        let body = json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}).to_string();
        assert_eq!(
            parser.read_complete(body.as_bytes()).expect("a response"),
            [StreamEvent::Text("hi".to_owned())]
        );
        assert_eq!(parser.end().map(|end| end.finish_reason), Ok(Some("stop")));
    }
}
