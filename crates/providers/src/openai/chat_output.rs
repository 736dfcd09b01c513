//! What a chat completion says, for the calls that Loam itself makes, such as those of a conversation's turns: they
//! take it from the reader of the response, which decodes it once, instead of parsing the client's format again.

use super::content::arguments_text;
use crate::openai::ChatDecoder;
use crate::sse::recorded;
use crate::translate::{Decoder, ResponsePart, StopReason, new_id};
use crate::{ResponseError, Usage};

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
    /// The model that the provider names; none if it names none.
    pub model: Option<String>,
    /// OpenAI's `finish_reason`: `stop`, `length`, `tool_calls`, `content_filter`; none if the model sent none.
    pub finish_reason: Option<&'static str>,
    /// The requested tool calls.
    pub tools: Vec<RequestedToolCall>,
    /// Token usage, if the provider reported it.
    pub usage: Option<Usage>,
}

/// What one response says, as far as it has arrived. NUL characters, which PostgreSQL can't store, become U+FFFD.
#[derive(Debug, Default)]
pub struct ChatOutput {
    events: Vec<StreamEvent>,
    bytes: usize,
    end: StreamEnd,
    failure: Option<String>,
    done: bool,
}

impl ChatOutput {
    /// Reads a recorded response in OpenAI's format: JSON, or the events of a stream.
    ///
    /// # Errors
    /// If the JSON is no chat completion.
    pub fn of_recorded(body: &[u8], events: bool) -> Result<Self, ResponseError> {
        let mut decoded = DecodedChat::default();
        if events {
            recorded(body).for_each(|data| decoded.event(&data));
        } else {
            decoded.complete(body)?;
        }
        Ok(decoded.output)
    }

    /// The fragments that have arrived since the last call.
    pub fn take_events(&mut self) -> Vec<StreamEvent> {
        std::mem::take(&mut self.events)
    }

    /// The size of the output so far, in bytes: text, reasoning and the arguments of tool calls.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The response failed; what follows is ignored.
    pub fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
        self.done = true;
    }

    /// Ends it: returns how the response ended, or what went wrong.
    ///
    /// # Errors
    /// The provider's message, or that the response is incomplete.
    pub fn end(mut self) -> Result<StreamEnd, String> {
        for tool in &mut self.end.tools {
            tool.arguments = arguments_text(&std::mem::take(&mut tool.arguments).into());
        }
        match self.failure {
            Some(failure) => Err(failure),
            None if self.done || self.end.finish_reason.is_some() => Ok(self.end),
            None => Err("the provider ended its stream before the response was complete".to_owned()),
        }
    }

    /// Adds the next part.
    pub(crate) fn add(&mut self, part: ResponsePart) {
        if self.done {
            return;
        }
        let tools = &mut self.end.tools;
        match part {
            ResponsePart::Text(text) => self.fragment(StreamEvent::Text, text),
            ResponsePart::Thinking(text) => self.fragment(StreamEvent::Reasoning, text),
            ResponsePart::Tool { index, id, name } => {
                tools.resize_with(tools.len().max(index + 1), RequestedToolCall::default);
                let id = if id.is_empty() { new_id("call_") } else { storable(id) };
                (tools[index].id, tools[index].name) = (id, storable(name));
            }
            ResponsePart::Arguments { index, json } => {
                if let Some(tool) = tools.get_mut(index) {
                    self.bytes += json.len();
                    tool.arguments.push_str(&storable(json));
                }
            }
            ResponsePart::Stop(stop) => {
                self.end.finish_reason = Some(match stop {
                    // some servers stop without the reason although there are tool calls
                    StopReason::End | StopReason::Sequence(_) if !tools.is_empty() => "tool_calls",
                    StopReason::End | StopReason::Sequence(_) => "stop",
                    StopReason::Length => "length",
                    StopReason::Tools => "tool_calls",
                    StopReason::Filtered => "content_filter",
                });
            }
            ResponsePart::Usage(usage) => self.end.usage = Some(usage),
            ResponsePart::Start { model, .. } => {
                self.end.model = Some(storable(model)).filter(|model| !model.is_empty());
            }
            ResponsePart::Error(error) => self.fail(error.message),
            ResponsePart::End => self.done = true,
            ResponsePart::Extra(..) => {}
        }
    }

    fn fragment(&mut self, of: fn(String) -> StreamEvent, text: String) {
        if !text.is_empty() {
            self.bytes += text.len();
            self.events.push(of(storable(text)));
        }
    }
}

fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// The output of a response in OpenAI's format, and the state of its decoding.
#[derive(Debug, Default)]
pub(crate) struct DecodedChat {
    decoder: ChatDecoder,
    pub(crate) output: ChatOutput,
}

impl DecodedChat {
    /// Adds the data of one event.
    pub(crate) fn event(&mut self, data: &[u8]) {
        let mut parts = Vec::new();
        self.decoder.event(data, &mut parts);
        parts.into_iter().for_each(|part| self.output.add(part));
    }

    /// Adds a response that is not streamed.
    pub(crate) fn complete(&mut self, body: &[u8]) -> Result<(), ResponseError> {
        let parts = self.decoder.decode_complete(body)?;
        parts.into_iter().for_each(|part| self.output.add(part));
        self.output.add(ResponsePart::End);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(chunk: &Value) -> String {
        format!("data: {chunk}\n\n")
    }

    fn delta(delta: &Value, reason: Option<&str>) -> String {
        event(&json!({"model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}))
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

    fn of_stream(stream: &str) -> ChatOutput {
        ChatOutput::of_recorded(stream.as_bytes(), true).expect("a stream is read as far as it is valid")
    }

    #[test]
    fn the_output_of_a_recorded_stream_is_complete() {
        let mut output = of_stream(&stream());
        let text = |text: &str| StreamEvent::Text(text.to_owned());
        assert_eq!(
            output.take_events(),
            [StreamEvent::Reasoning("hm".to_owned()), text("Hel\u{fffd}"), text("lo")]
        );
        assert_eq!((output.take_events(), output.bytes()), (Vec::new(), 2 + 4 + 2 + 7));
        let end = output.end().expect("a complete response");
        assert_eq!((end.finish_reason, end.model.as_deref()), (Some("tool_calls"), Some("m-1")));
        let tool = RequestedToolCall {
            id: "c1".to_owned(),
            name: "f".to_owned(),
            arguments: "{\"a\":1}".to_owned(),
        };
        assert_eq!(end.tools, [tool]);
        assert_eq!(end.usage.map(|usage| usage.total_tokens), Some(7));
    }

    #[test]
    fn a_truncated_stream_and_an_error_event_are_failures() {
        let mut cut = of_stream(&delta(&json!({"content": "a"}), None));
        assert_eq!(cut.take_events().len(), 1);
        assert!(cut.end().is_err_and(|why| why.contains("before the response was complete")));
        let failing = of_stream(&event(&json!({"error": {"message": "overloaded"}})));
        assert!(failing.end().is_err_and(|why| why.contains("overloaded")));
    }

    #[test]
    fn a_response_that_is_not_streamed_is_read_too() {
        let body = json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}).to_string();
        let mut output = ChatOutput::of_recorded(body.as_bytes(), false).expect("a response");
        assert_eq!(output.take_events(), [StreamEvent::Text("hi".to_owned())]);
        assert_eq!(output.end().map(|end| end.finish_reason), Ok(Some("stop")));
        assert!(ChatOutput::of_recorded(b"{}", false).is_err());
    }
}
