//! Chat completions.

use serde_json::Value;

use super::{Finish, Said, Speaker, call, calls, items};

pub(super) fn asked(body: &Value) -> Vec<Said> {
    items(&body["messages"]).iter().filter_map(message).collect()
}

fn message(message: &Value) -> Option<Said> {
    let speaker = match message["role"].as_str()? {
        "system" | "developer" => Speaker::System,
        "user" => Speaker::User,
        "assistant" => Speaker::Assistant,
        "tool" | "function" => Speaker::Tool,
        _ => return None,
    };
    Some(Said {
        tool_calls: calls(items(&message["tool_calls"]).iter().map(tool_call).collect()),
        tool_call_id: message["tool_call_id"].as_str().map(str::to_owned),
        ..content(speaker, message)
    })
}

fn content(speaker: Speaker, message: &Value) -> Said {
    match &message["content"] {
        Value::String(text) => Said::text(speaker, text),
        Value::Array(parts) => Said::of_parts(speaker, parts.clone()),
        _ => Said::text(speaker, message["refusal"].as_str().unwrap_or_default()),
    }
}

/// What is only of use in a stream, as the number of a call, is left out. Tools of other types are kept as they are.
fn tool_call(one: &Value) -> Value {
    match one["function"].is_object() {
        true => {
            let function = &one["function"];
            call(&one["id"], &function["name"], function["arguments"].as_str().unwrap_or_default())
        }
        false => one.clone(),
    }
}

pub(super) fn answered(answer: &Value) -> (Said, Option<Finish>) {
    // of several answers, the first
    let choice = &answer["choices"][0];
    let finish = match choice["finish_reason"].as_str() {
        Some("stop") => Some(Finish::Stop),
        Some("length") => Some(Finish::Length),
        Some("tool_calls" | "function_call") => Some(Finish::ToolCalls),
        Some("content_filter") => Some(Finish::ContentFilter),
        Some(_) => Some(Finish::Stop),
        None => None,
    };
    let message = &choice["message"];
    let said = Said {
        tool_calls: calls(items(&message["tool_calls"]).iter().map(tool_call).collect()),
        ..content(Speaker::Assistant, message)
    };
    (said, finish)
}
