//! Reads an application's answer into pieces.

use loam_kernel::{Error, Kind, Result};
use serde_json::{Map, Value};

use super::KIND;
use super::error::said;
use crate::Usage;
use crate::piece::{Piece, Source, Stop, not_an_answer, text_of};
use crate::sse::{Splitter, whole_data};

/// Fields of Dify's that a client gets as they are.
const OWN: [&str; 3] = ["conversation_id", "message_id", "task_id"];

/// Reads one answer.
#[derive(Default)]
pub(crate) struct DifySource {
    started: bool,
    /// Something was said that a replacement would have to replace.
    spoke: bool,
    replacement: Option<String>,
}

fn own(event: &Value) -> Map<String, Value> {
    let known = OWN.iter().filter(|name| event[**name].is_string());
    known.map(|name| ((*name).to_owned(), event[*name].clone())).collect()
}

fn id(event: &Value) -> String {
    let id = event["message_id"].as_str().or_else(|| event["id"].as_str());
    id.unwrap_or_default().to_owned()
}

/// The end of an answer: where it comes from, and what it cost.
fn finish(event: &Value, stop: Stop, out: &mut Vec<Piece>) {
    let metadata = &event["metadata"];
    let mut own = own(event);
    if let Some(sources) = metadata["retriever_resources"].as_array().filter(|sources| !sources.is_empty()) {
        own.insert("retriever_resources".to_owned(), sources.clone().into());
    }
    out.push(Piece::Extra(KIND, own));
    out.push(Piece::Stop(stop));
    if let Some(usage) = metadata.get("usage").filter(|usage| usage.is_object())
        && let Ok(usage) = serde_json::from_value::<Usage>(usage.clone())
    {
        out.push(Piece::Usage(usage));
    }
}

impl DifySource {
    fn start(&mut self, event: &Value, out: &mut Vec<Piece>) {
        if !self.started {
            self.started = true;
            out.push(Piece::Extra(KIND, own(event)));
            out.push(Piece::Start { id: id(event), model: String::new() });
        }
    }

    /// The events of an agent's stream as an answer in one.
    fn put_together(&mut self, body: &[u8]) -> Result<Vec<Piece>> {
        let mut events = Splitter::default();
        if !events.push(body) {
            return Err(not_an_answer("it holds no events"));
        }
        let mut pieces = Vec::new();
        while let Some(event) = events.next() {
            self.event(b"", &whole_data(&event), &mut pieces);
        }
        self.event(b"", &whole_data(&events.rest()), &mut pieces);
        match pieces.last() {
            Some(Piece::End) => {}
            Some(Piece::Error(message)) => {
                return Err(Error::new(Kind::BadGateway, "provider_failed", message.clone()));
            }
            _ => return Err(not_an_answer("it ended too early")),
        }
        // what was said before a replacement is to be forgotten
        if let Some(replacement) = self.replacement.take() {
            pieces.retain(|piece| !matches!(piece, Piece::Text(_)));
            pieces.push(Piece::Text(replacement));
        }
        Ok(pieces)
    }
}

impl Source for DifySource {
    fn whole(&mut self, body: &[u8]) -> Result<Vec<Piece>> {
        let Ok(answer) = serde_json::from_slice::<Value>(body) else { return self.put_together(body) };
        let text = answer["answer"].as_str().ok_or_else(|| not_an_answer("it has no `answer`"))?;
        let mut out =
            vec![Piece::Start { id: id(&answer), model: String::new() }, Piece::Text(text.to_owned())];
        finish(&answer, Stop::End, &mut out);
        Ok(out)
    }

    fn event(&mut self, _name: &[u8], data: &[u8], out: &mut Vec<Piece>) {
        let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
        match event["event"].as_str() {
            Some("message" | "agent_message") => {
                self.start(&event, out);
                let text = text_of(&event["answer"]);
                if !text.is_empty() {
                    self.spoke = true;
                    out.push(Piece::Text(text));
                }
            }
            Some("message_replace") => {
                self.start(&event, out);
                let text = text_of(&event["answer"]);
                // what a client has read can't be taken back; it is told apart from what takes its place
                let between = if self.spoke { "\n\n" } else { "" };
                out.push(Piece::Text(format!("{between}{text}")));
                self.replacement = Some(text);
            }
            Some("message_end") => {
                self.start(&event, out);
                finish(&event, if self.replacement.is_some() { Stop::Filtered } else { Stop::End }, out);
                out.push(Piece::End);
            }
            Some("error") => out.push(Piece::Error(said(&event))),
            _ => {}
        }
    }
}
