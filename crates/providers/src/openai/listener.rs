//! Reads a chat completion in OpenAI's format as it comes, for Loam itself: what a turn of a conversation is made of.

use loam_kernel::Result;

use crate::Usage;
use crate::openai::ChatSource;
use crate::piece::{Piece, Source, Stop};
use crate::sse::{MAX_EVENT, Splitter, whole_data};

/// A part of what a model says, in the order in which it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It says this.
    Text(String),
    /// It thinks this.
    Thought(String),
}

/// A model's wish to have a tool used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedTool {
    /// The model's id of this use.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments: JSON, as far as the model wrote some.
    pub arguments: String,
}

/// How an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// In OpenAI's words: `stop`, `length`, `tool_calls`, `content_filter`; none if the model never said.
    pub finish_reason: Option<&'static str>,
    /// The tools to be used.
    pub tools: Vec<WantedTool>,
    /// What it took, if the provider said.
    pub usage: Option<Usage>,
}

/// Listens to one answer. NUL characters, which PostgreSQL can't store, come out as U+FFFD.
#[derive(Default)]
pub struct Listener {
    source: ChatSource,
    events: Splitter,
    ending: Ending,
    failure: Option<String>,
    done: bool,
}

impl Listener {
    /// Takes what came of a stream, and gives what it says.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<Heard> {
        let mut said = Vec::new();
        if self.done {
            return said;
        }
        let fits = self.events.push(chunk);
        while let Some(event) = self.events.next() {
            self.event(&event, &mut said);
        }
        if !fits && !self.done {
            self.fail(format!("the provider sent an event of more than {MAX_EVENT} bytes"));
        }
        said
    }

    /// Takes an answer that came whole.
    pub fn whole(&mut self, body: &[u8]) -> Result<Vec<Heard>> {
        let mut said = Vec::new();
        for piece in self.source.whole(body)? {
            self.take(piece, &mut said);
        }
        self.done = true;
        Ok(said)
    }

    /// Nothing more comes: how it ended, or what went wrong.
    pub fn end(mut self) -> Result<Ending, String> {
        if !self.done {
            let rest = self.events.rest();
            self.event(&rest, &mut Vec::new());
        }
        match self.failure {
            Some(failure) => Err(failure),
            None if self.done || self.ending.finish_reason.is_some() => Ok(self.ending),
            None => Err("the provider ended its stream before its answer was whole".to_owned()),
        }
    }

    fn event(&mut self, event: &[u8], said: &mut Vec<Heard>) {
        let mut pieces = Vec::new();
        let data = whole_data(event);
        if !data.is_empty() {
            self.source.event(b"", &data, &mut pieces);
        }
        for piece in pieces {
            self.take(piece, said);
        }
    }

    fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
        self.done = true;
    }

    fn take(&mut self, piece: Piece, said: &mut Vec<Heard>) {
        let tools = &mut self.ending.tools;
        match piece {
            Piece::Text(text) => said.push(Heard::Text(storable(text))),
            Piece::Thinking(text) => said.push(Heard::Thought(storable(text))),
            Piece::Tool { index, id, name } => {
                tools.resize_with(tools.len().max(index + 1), WantedTool::default);
                (tools[index].id, tools[index].name) = (storable(id), storable(name));
            }
            Piece::Arguments { index, json } => {
                if let Some(tool) = tools.get_mut(index) {
                    tool.arguments.push_str(&storable(json));
                }
            }
            Piece::Stop(stop) => {
                self.ending.finish_reason = Some(match stop {
                    Stop::End | Stop::Sequence(_) => "stop",
                    Stop::Length => "length",
                    Stop::Tools => "tool_calls",
                    Stop::Filtered => "content_filter",
                });
            }
            Piece::Usage(usage) => self.ending.usage = Some(usage),
            Piece::Error(why) => self.fail(why),
            Piece::End => self.done = true,
            Piece::Start { .. } | Piece::Extra(..) => {}
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
    fn what_is_said_is_the_same_however_the_bytes_are_cut() {
        for size in [1, 2, 7, 64, 10_000] {
            let (mut listener, mut said) = (Listener::default(), Vec::new());
            for chunk in stream().as_bytes().chunks(size) {
                said.extend(listener.push(chunk));
            }
            let text = |text: &str| Heard::Text(text.to_owned());
            assert_eq!(said, [Heard::Thought("hm".to_owned()), text("Hel\u{fffd}"), text("lo")]);
            let ending = listener.end().expect("a whole answer");
            assert_eq!(ending.finish_reason, Some("tool_calls"));
            let tool =
                WantedTool { id: "c1".to_owned(), name: "f".to_owned(), arguments: "{\"a\":1}".to_owned() };
            assert_eq!(ending.tools, [tool]);
            assert_eq!(ending.usage.map(|usage| usage.total_tokens), Some(7));
        }
    }

    #[test]
    fn a_stream_that_just_stops_is_a_failure_and_so_is_an_error_in_it() {
        let mut cut = Listener::default();
        assert_eq!(cut.push(delta(&json!({"content": "a"}), None).as_bytes()).len(), 1);
        assert!(cut.end().is_err_and(|why| why.contains("before its answer was whole")));
        let mut failing = Listener::default();
        failing.push(event(&json!({"error": {"message": "overloaded"}})).as_bytes());
        assert!(failing.end().is_err_and(|why| why.contains("overloaded")));
    }

    #[test]
    fn an_answer_that_comes_whole_is_heard_as_well() {
        let mut listener = Listener::default();
        let body = json!({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}).to_string();
        assert_eq!(listener.whole(body.as_bytes()).expect("an answer"), [Heard::Text("hi".to_owned())]);
        assert_eq!(listener.end().map(|ending| ending.finish_reason), Ok(Some("stop")));
    }
}
