//! An output item of a response, and the events that announce it.

use bytes::BytesMut;
use serde_json::{Value, json};

use super::tools::{OfferedTool, custom_input};
use crate::openai::arguments_text;
use crate::sse::write;

/// Writes numbered events, or none for a response that is not streamed.
pub(super) struct Events<'a> {
    pub(super) out: Option<&'a mut BytesMut>,
    /// The number of the next event.
    pub(super) number: &'a mut u64,
}

impl Events<'_> {
    pub(super) fn send(&mut self, kind: &str, mut data: Value) {
        let Some(out) = self.out.as_deref_mut() else { return };
        data["type"] = kind.into();
        data["sequence_number"] = (*self.number).into();
        *self.number += 1;
        write(out, Some(kind), &data);
    }
}

/// What an item is.
#[derive(Debug)]
pub(super) enum ItemKind {
    Reasoning,
    Message,
    Call {
        /// The position among the calls.
        index: usize,
        call_id: String,
        tool: OfferedTool,
    },
}

/// An item with what has arrived of it.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: ItemKind,
    id: String,
    /// The text, or the arguments.
    content: String,
    status: &'static str,
}

impl Item {
    /// Begins an item at a position of the output.
    pub(super) fn begin(kind: ItemKind, at: usize, suffix: &str, events: &mut Events<'_>) -> Self {
        let prefix = match &kind {
            ItemKind::Reasoning => "rs",
            ItemKind::Message => "msg",
            ItemKind::Call { tool, .. } if tool.is_custom => "ctc",
            ItemKind::Call { .. } => "fc",
        };
        let id = format!("{prefix}_{suffix}_{at}");
        let item = Self { kind, id, content: String::new(), status: "in_progress" };
        item.start(at, events);
        item
    }

    /// Adds text or arguments.
    pub(super) fn add(&mut self, at: usize, more: &str, events: &mut Events<'_>) {
        self.content.push_str(more);
        self.delta(at, more, events);
    }

    /// The item with all that has arrived; one that has not ended is incomplete.
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.json(Some(&self.complete_content()));
        if self.is_open() && shown.get("status").is_some() {
            shown["status"] = "incomplete".into();
        }
        shown
    }

    pub(super) fn is_open(&self) -> bool {
        self.status == "in_progress"
    }

    /// The content of a call, for the client: a call without arguments has an empty object.
    fn complete_content(&self) -> String {
        match &self.kind {
            ItemKind::Call { tool, .. } if tool.is_custom => custom_input(&self.content),
            ItemKind::Call { .. } => arguments_text(&self.content.as_str().into()),
            ItemKind::Reasoning | ItemKind::Message => self.content.clone(),
        }
    }

    fn part(&self, text: &str) -> Value {
        match self.kind {
            ItemKind::Reasoning => json!({"type": "summary_text", "text": text}),
            _ => json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []}),
        }
    }

    /// The item with its content; at its start it has none.
    fn json(&self, content: Option<&str>) -> Value {
        let parts: Vec<Value> = content.map(|text| self.part(text)).into_iter().collect();
        match &self.kind {
            ItemKind::Reasoning => json!({"id": self.id, "type": "reasoning", "summary": parts}),
            ItemKind::Message => json!({
                "id": self.id, "type": "message", "status": self.status, "role": "assistant", "content": parts,
            }),
            ItemKind::Call { call_id, tool, .. } => {
                let (kind, field) = if tool.is_custom {
                    ("custom_tool_call", "input")
                } else {
                    ("function_call", "arguments")
                };
                let mut call = json!({
                    "id": self.id, "type": kind, "status": self.status, "call_id": call_id, "name": tool.name,
                    field: content.unwrap_or_default(),
                });
                if let Some(namespace) = &tool.namespace {
                    call["namespace"] = namespace.as_str().into();
                }
                call
            }
        }
    }

    fn place(&self, at: usize) -> Value {
        let mut place = json!({"item_id": self.id, "output_index": at});
        match self.kind {
            ItemKind::Reasoning => place["summary_index"] = 0.into(),
            ItemKind::Message => place["content_index"] = 0.into(),
            ItemKind::Call { .. } => {}
        }
        place
    }

    fn start(&self, at: usize, events: &mut Events<'_>) {
        events.send("response.output_item.added", json!({"output_index": at, "item": self.json(None)}));
        let name = match self.kind {
            ItemKind::Reasoning => "response.reasoning_summary_part.added",
            ItemKind::Message => "response.content_part.added",
            ItemKind::Call { .. } => return,
        };
        let mut part = self.place(at);
        part["part"] = self.part("");
        events.send(name, part);
    }

    fn delta(&self, at: usize, more: &str, events: &mut Events<'_>) {
        let mut delta = self.place(at);
        delta["delta"] = more.into();
        let name = match &self.kind {
            ItemKind::Reasoning => "response.reasoning_summary_text.delta",
            ItemKind::Message => {
                delta["logprobs"] = json!([]);
                "response.output_text.delta"
            }
            // the text of its input is known only from the complete arguments
            ItemKind::Call { tool, .. } if tool.is_custom => return,
            ItemKind::Call { .. } => "response.function_call_arguments.delta",
        };
        events.send(name, delta);
    }

    /// Ends the item, unless it has ended.
    pub(super) fn end(&mut self, at: usize, status: &'static str, events: &mut Events<'_>) {
        if !self.is_open() {
            return;
        }
        self.status = status;
        let content = self.complete_content();
        let mut done = self.place(at);
        match &self.kind {
            ItemKind::Reasoning => {
                done["text"] = content.as_str().into();
                events.send("response.reasoning_summary_text.done", done);
                let mut part = self.place(at);
                part["part"] = self.part(&content);
                events.send("response.reasoning_summary_part.done", part);
            }
            ItemKind::Message => {
                done["text"] = content.as_str().into();
                done["logprobs"] = json!([]);
                events.send("response.output_text.done", done);
                let mut part = self.place(at);
                part["part"] = self.part(&content);
                events.send("response.content_part.done", part);
            }
            ItemKind::Call { tool, .. } if tool.is_custom => {
                let mut delta = self.place(at);
                delta["delta"] = content.as_str().into();
                events.send("response.custom_tool_call_input.delta", delta);
                done["input"] = content.as_str().into();
                events.send("response.custom_tool_call_input.done", done);
            }
            ItemKind::Call { tool, .. } => {
                if self.content.is_empty() {
                    self.delta(at, &content, events);
                }
                done["name"] = tool.name.as_str().into();
                done["arguments"] = content.as_str().into();
                events.send("response.function_call_arguments.done", done);
            }
        }
        let item = self.json(Some(&content));
        events.send("response.output_item.done", json!({"output_index": at, "item": item}));
    }
}
