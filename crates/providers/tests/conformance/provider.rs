//! Providers' responses in their own formats, written from their documentation.

use serde_json::{Value, json};

use crate::Format;

/// A model's reply.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub reasoning: &'static str,
    pub text: &'static str,
    /// Name and arguments.
    pub calls: Vec<(&'static str, Value)>,
    /// As OpenAI's `finish_reason`.
    pub stop: &'static str,
}

/// The usage of every reply: prompt tokens, cached tokens among them, completion tokens, those of reasoning among them.
pub const READ: u64 = 30;
pub const CACHED: u64 = 8;
pub const WRITTEN: u64 = 12;
pub const REASONING: u64 = 5;

/// Splits a text at character boundaries.
fn parts(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(4).map(|part| part.iter().collect()).collect()
}

impl Format {
    /// The reply as a response that is not streamed.
    pub fn complete(self, reply: &Reply) -> String {
        match self {
            Self::Chat(reasoning) => chat(reply, reasoning).to_string(),
            Self::Messages => message(reply).to_string(),
            Self::Dify => json!({
                "event": "message", "task_id": "task-1", "id": "9da2", "message_id": "9da2", "conversation_id": "45701982",
                "mode": "chat", "answer": reply.text, "metadata": {"usage": dify_usage(), "retriever_resources": []},
                "created_at": 1_705_407_629
            })
            .to_string(),
        }
    }

    /// The reply as a stream, with comments and pings between the events.
    pub fn stream(self, reply: &Reply) -> String {
        match self {
            Self::Chat(reasoning) => chat_stream(reply, reasoning),
            Self::Messages => message_stream(reply),
            Self::Dify => dify_stream(reply),
        }
    }

    /// An error in the middle of a stream.
    pub fn stream_error(self, message: &str) -> String {
        match self {
            Self::Chat(_) => event(
                None,
                &json!({"error": {"message": message, "type": "server_error", "code": null, "param": null}}),
            ),
            Self::Messages => event(
                Some("error"),
                &json!({"type": "error", "error": {"type": "overloaded_error", "message": message}}),
            ),
            Self::Dify => event(
                None,
                &json!({"event": "error", "task_id": "task-1", "message_id": "9da2", "status": 400,
                    "code": "completion_request_error", "message": message}),
            ),
        }
    }

    /// An error response.
    pub fn error(self, status: u16, message: &str) -> String {
        match self {
            Self::Chat(_) => {
                json!({"error": {"message": message, "type": "x", "param": null, "code": null}}).to_string()
            }
            Self::Messages => {
                json!({"type": "error", "error": {"type": "x", "message": message}, "request_id": "r"})
                    .to_string()
            }
            Self::Dify => json!({"code": "x", "message": message, "status": status}).to_string(),
        }
    }
}

fn event(name: Option<&str>, data: &Value) -> String {
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {data}\n\n")
}

fn chat_usage() -> Value {
    json!({"prompt_tokens": READ, "completion_tokens": WRITTEN, "total_tokens": READ + WRITTEN,
        "prompt_tokens_details": {"cached_tokens": CACHED}, "completion_tokens_details": {"reasoning_tokens": REASONING}})
}

fn chat(reply: &Reply, reasoning: &str) -> Value {
    let mut message = json!({"role": "assistant", "content": reply.text});
    if !reply.reasoning.is_empty() {
        message[reasoning] = reply.reasoning.into();
    }
    if !reply.calls.is_empty() {
        let call = |(at, (name, arguments)): (usize, &(&str, Value))| {
            json!({"id": format!("call_{at}"), "type": "function",
                "function": {"name": name, "arguments": arguments.to_string()}})
        };
        message["tool_calls"] = reply.calls.iter().enumerate().map(call).collect();
        message["content"] = Value::Null;
    }
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m-1",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reply.stop}],
        "usage": chat_usage()})
}

fn chat_stream(reply: &Reply, reasoning: &str) -> String {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1",
            "choices": choices, "usage": usage});
        event(None, &chunk)
    };
    let delta =
        |delta: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]), Value::Null);
    let mut stream = ": keep-alive\n\n".to_owned() + &delta(json!({"role": "assistant", "content": ""}));
    for part in parts(reply.reasoning) {
        stream += &delta(json!({reasoning: part, "content": null}));
    }
    for part in parts(reply.text) {
        stream += &delta(json!({"content": part}));
    }
    for (at, (name, arguments)) in reply.calls.iter().enumerate() {
        let call = json!({"index": at, "id": format!("call_{at}"), "type": "function",
            "function": {"name": name, "arguments": ""}});
        stream += &delta(json!({"tool_calls": [call]}));
        for part in parts(&arguments.to_string()) {
            stream += &delta(json!({"tool_calls": [{"index": at, "function": {"arguments": part}}]}));
        }
    }
    stream += &chunk(json!([{"index": 0, "delta": {}, "finish_reason": reply.stop}]), Value::Null);
    stream += &chunk(json!([]), chat_usage());
    stream + "data: [DONE]\n\n"
}

fn stop_reason(stop: &str) -> &'static str {
    match stop {
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "refusal",
        _ => "end_turn",
    }
}

fn message(reply: &Reply) -> Value {
    let mut content = Vec::new();
    if !reply.reasoning.is_empty() {
        content.push(json!({"type": "thinking", "thinking": reply.reasoning, "signature": "c2ln"}));
    }
    if !reply.text.is_empty() {
        content.push(json!({"type": "text", "text": reply.text}));
    }
    for (at, (name, input)) in reply.calls.iter().enumerate() {
        content.push(json!({"type": "tool_use", "id": format!("call_{at}"), "name": name, "input": input}));
    }
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": content,
        "stop_reason": stop_reason(reply.stop), "stop_sequence": null,
        "usage": {"input_tokens": READ - CACHED - 2, "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": CACHED, "output_tokens": WRITTEN}})
}

fn message_stream(reply: &Reply) -> String {
    let complete = message(reply);
    let mut start = complete.clone();
    start["content"] = json!([]);
    start["stop_reason"] = Value::Null;
    start["usage"]["output_tokens"] = 1.into();
    let mut stream = event(Some("message_start"), &json!({"type": "message_start", "message": start}));
    stream += &event(Some("ping"), &json!({"type": "ping"}));
    for (at, block) in complete["content"].as_array().expect("blocks").iter().enumerate() {
        let (empty, deltas) = match block["type"].as_str().expect("a type") {
            "tool_use" => {
                let mut empty = block.clone();
                empty["input"] = json!({});
                let input = block["input"].to_string();
                let deltas =
                    parts(&input).into_iter().map(|p| json!({"type": "input_json_delta", "partial_json": p}));
                (empty, deltas.collect::<Vec<_>>())
            }
            kind => {
                let delta = |part| json!({"type": format!("{kind}_delta"), kind: part});
                let mut deltas: Vec<_> =
                    parts(block[kind].as_str().expect("text")).into_iter().map(delta).collect();
                if kind == "thinking" {
                    deltas.push(json!({"type": "signature_delta", "signature": "c2ln"}));
                }
                (json!({"type": kind, kind: ""}), deltas)
            }
        };
        let of = |name: &str, field: &str, value: Value| {
            event(Some(name), &json!({"type": name, "index": at, field: value}))
        };
        stream += &of("content_block_start", "content_block", empty);
        for delta in deltas {
            stream += &of("content_block_delta", "delta", delta);
        }
        stream += &event(Some("content_block_stop"), &json!({"type": "content_block_stop", "index": at}));
    }
    let delta = json!({"type": "message_delta", "usage": {"output_tokens": WRITTEN},
        "delta": {"stop_reason": complete["stop_reason"], "stop_sequence": null}});
    stream += &event(Some("message_delta"), &delta);
    stream + &event(Some("message_stop"), &json!({"type": "message_stop"}))
}

fn dify_usage() -> Value {
    json!({"prompt_tokens": READ, "prompt_unit_price": "0.001", "prompt_price_unit": "0.001", "prompt_price": "0.0000300",
        "completion_tokens": WRITTEN, "total_tokens": READ + WRITTEN, "total_price": "0.0000540", "currency": "USD",
        "latency": 0.7})
}

fn dify_stream(reply: &Reply) -> String {
    let of = |name: &str, more: Value| {
        let mut data =
            json!({"event": name, "task_id": "task-1", "message_id": "9da2", "conversation_id": "45701982"});
        more.as_object().expect("fields").iter().for_each(|(name, value)| data[name] = value.clone());
        event(None, &data)
    };
    let mut stream = "event: ping\n\n".to_owned();
    stream += &of(
        "agent_thought",
        json!({"id": "8dcf", "position": 1, "thought": "", "tool": "", "tool_input": ""}),
    );
    for part in parts(reply.text) {
        stream += &of("message", json!({"answer": part, "created_at": 1_679_586_595}));
    }
    stream + &of("message_end", json!({"id": "9da2", "metadata": {"usage": dify_usage()}}))
}
