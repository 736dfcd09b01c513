//! Writes a reply as a server does.

use serde_json::{Value, json};

use crate::provider::Reply;

/// Where a stream has its usage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UsageIn {
    /// In a chunk of its own, without choices.
    OwnChunk,
    /// In a chunk with an empty delta.
    EmptyDelta,
    /// In the chunk with the finish reason.
    LastChunk,
    EveryChunk,
    /// In Groq's own field of the last chunk.
    Groq,
}

/// How a server writes chat completions. Functions write the deltas of a stream.
pub(super) struct Style {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// The fields beside the choices, besides the usual ones.
    pub(super) shell: Value,
    /// What precedes the first chunk.
    pub(super) before: &'static str,
    /// The fields of a choice beside its delta or message.
    pub(super) choice: Value,
    /// A choice behind the answer.
    pub(super) after: Option<Value>,
    /// The first delta.
    pub(super) role: Value,
    /// None if it shows no reasoning.
    pub(super) reasoning: Option<fn(&str) -> Value>,
    pub(super) text: fn(&str) -> Value,
    /// The deltas of a call: its number, id, name and arguments.
    pub(super) call: fn(usize, &str, &str, &str) -> Vec<Value>,
    pub(super) id: fn(usize) -> String,
    /// Its word for a finish reason of OpenAI's.
    pub(super) stop: fn(&'static str) -> &'static str,
    pub(super) usage: Value,
    /// The cached tokens in the usage.
    pub(super) cached: u64,
    pub(super) usage_in: UsageIn,
}

/// A call in a delta.
pub(super) fn delta_call(at: usize, id: &str, name: &str, arguments: &str) -> Value {
    json!({"index": at, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

/// A text in small parts.
pub(super) fn fragments(text: &str) -> impl Iterator<Item = String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(5).map(|part| part.iter().collect()).collect::<Vec<String>>().into_iter()
}

fn with(mut object: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    object
}

impl Style {
    /// OpenAI's own style, with `reasoning_content`.
    pub(super) fn new(name: &'static str, kind: &'static str) -> Self {
        Self {
            name,
            kind,
            shell: json!({}),
            before: "",
            choice: json!({}),
            after: None,
            role: json!({"role": "assistant", "content": ""}),
            reasoning: Some(|text| json!({"reasoning_content": text})),
            text: |text| json!({"content": text}),
            call: |at, id, name, arguments| {
                let more = fragments(arguments)
                    .map(|part| json!({"tool_calls": [{"index": at, "function": {"arguments": part}}]}));
                std::iter::once(json!({"tool_calls": [delta_call(at, id, name, "")]})).chain(more).collect()
            },
            id: |at| format!("call_{at}oK3f"),
            stop: |stop| stop,
            usage: json!({"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42,
                "prompt_tokens_details": {"cached_tokens": 8}}),
            cached: 8,
            usage_in: UsageIn::OwnChunk,
        }
    }

    fn shell(&self, object: &str, choices: Value) -> Value {
        let usual = json!({"id": "chatcmpl-7f3a", "object": object, "created": 1_764_000_000});
        let mut shell = with(usual, &self.shell);
        shell["choices"] = choices;
        shell
    }

    fn choice(&self, part: &str, content: Value, stop: Option<&str>) -> Value {
        with(json!({"index": 0, part: content, "finish_reason": stop}), &self.choice)
    }

    /// The reply as a stream.
    pub(super) fn stream(&self, reply: &Reply) -> String {
        let mut deltas = vec![self.role.clone()];
        if let Some(reasoning) = self.reasoning {
            deltas.extend(fragments(reply.reasoning).map(|part| reasoning(&part)));
        }
        deltas.extend(fragments(reply.text).map(|part| (self.text)(&part)));
        for (at, (name, arguments)) in reply.calls.iter().enumerate() {
            deltas.extend((self.call)(at, &(self.id)(at), name, &arguments.to_string()));
        }
        let chunk = |choices| self.shell("chat.completion.chunk", choices);
        let mut chunks: Vec<Value> =
            deltas.into_iter().map(|delta| chunk(json!([self.choice("delta", delta, None)]))).collect();
        let mut last = chunk(json!([self.choice("delta", (self.text)(""), Some((self.stop)(reply.stop)))]));
        match self.usage_in {
            UsageIn::LastChunk | UsageIn::EveryChunk => last["usage"] = self.usage.clone(),
            UsageIn::Groq => last["x_groq"] = json!({"id": "req_01k", "usage": self.usage}),
            UsageIn::OwnChunk | UsageIn::EmptyDelta => {}
        }
        if self.usage_in == UsageIn::EveryChunk {
            let so_far = json!({"prompt_tokens": 30, "completion_tokens": 1, "total_tokens": 31});
            chunks.iter_mut().for_each(|chunk| chunk["usage"] = so_far.clone());
        }
        chunks.push(last);
        chunks.extend(self.after.iter().map(|choice| chunk(json!([choice]))));
        let own = match self.usage_in {
            UsageIn::OwnChunk => Some(json!([])),
            UsageIn::EmptyDelta => Some(json!([self.choice("delta", self.role.clone(), None)])),
            _ => None,
        };
        chunks.extend(own.map(|choices| with(chunk(choices), &json!({"usage": self.usage}))));
        let events: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
        format!("{}{events}data: [DONE]\n\n", self.before)
    }

    /// The reply as a response that is not streamed.
    pub(super) fn complete(&self, reply: &Reply) -> String {
        let reasoning = self.reasoning.filter(|_| !reply.reasoning.is_empty());
        let mut message = with(
            reasoning.map_or(json!({}), |reasoning| reasoning(reply.reasoning)),
            &json!({"role": "assistant"}),
        );
        let text = (self.text)(reply.text)["content"].clone();
        match &mut message["content"] {
            Value::Array(parts) => parts.push(json!({"type": "text", "text": text})),
            content => *content = text,
        }
        if !reply.calls.is_empty() {
            let call = |(at, (name, arguments)): (usize, &(&str, Value))| {
                let call = (self.call)(at, &(self.id)(at), name, &arguments.to_string()).remove(0);
                with(
                    call["tool_calls"][0].clone(),
                    &json!({"function": {"name": name, "arguments": arguments.to_string()}}),
                )
            };
            message["tool_calls"] = reply.calls.iter().enumerate().map(call).collect();
        }
        let choice = self.choice("message", message, Some((self.stop)(reply.stop)));
        with(self.shell("chat.completion", json!([choice])), &json!({"usage": self.usage})).to_string()
    }
}
