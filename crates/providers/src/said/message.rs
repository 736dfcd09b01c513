//! Anthropic's messages.

use serde_json::{Value, json};

use super::{Finish, Said, Speaker, call, calls, items};

pub(super) fn asked(body: &Value) -> Vec<Said> {
    let mut all = Vec::new();
    let system = Said::of_parts(Speaker::System, parts(&body["system"]));
    if !system.is_empty() {
        all.push(system);
    }
    for turn in items(&body["messages"]) {
        let content = blocks(&turn["content"]);
        match turn["role"].as_str() {
            Some("assistant") => all.push(said(&content)),
            Some("system") => all.push(Said::of_parts(Speaker::System, parts(&turn["content"]))),
            Some(_) => heard(&content, &mut all),
            None => {}
        }
    }
    all
}

fn blocks(content: &Value) -> Vec<Value> {
    match content {
        Value::String(text) => vec![json!({ "type": "text", "text": text })],
        other => items(other).to_vec(),
    }
}

/// Blocks as OpenAI's content parts. What has no such part is kept as it is.
fn parts(content: &Value) -> Vec<Value> {
    blocks(content).iter().map(part).collect()
}

fn part(block: &Value) -> Value {
    let source = &block["source"];
    let data = || {
        let media_type = source["media_type"].as_str().unwrap_or_default();
        format!("data:{media_type};base64,{}", source["data"].as_str().unwrap_or_default())
    };
    match (block["type"].as_str(), source["type"].as_str()) {
        (Some("text"), _) => json!({ "type": "text", "text": block["text"] }),
        (Some("image"), Some("base64")) => json!({ "type": "image_url", "image_url": { "url": data() } }),
        (Some("image"), Some("url")) => json!({ "type": "image_url", "image_url": { "url": source["url"] } }),
        (Some("document"), Some("base64")) => {
            json!({ "type": "file", "file": { "filename": block["title"], "file_data": data() } })
        }
        _ => block.clone(),
    }
}

/// What came from the user: results of tools are messages of their own, and come first.
fn heard(content: &[Value], all: &mut Vec<Said>) {
    let (results, rest): (Vec<&Value>, Vec<&Value>) =
        content.iter().partition(|block| block["type"] == "tool_result");
    for result in results {
        let mut said = Said::of_parts(Speaker::Tool, parts(&result["content"]));
        if result["is_error"] == true {
            said.text = format!("Error: {}", said.text);
        }
        said.tool_call_id = result["tool_use_id"].as_str().map(str::to_owned);
        all.push(said);
    }
    if !rest.is_empty() {
        all.push(Said::of_parts(Speaker::User, rest.into_iter().map(part).collect()));
    }
}

fn said(content: &[Value]) -> Said {
    let texts = content.iter().filter(|block| block["type"] == "text").map(part).collect();
    let uses = content.iter().filter(|block| block["type"] == "tool_use").map(|block| {
        let input = &block["input"];
        // of a call that was cut there is the text as far as it came
        let arguments = input.as_str().map_or_else(|| input.to_string(), str::to_owned);
        call(&block["id"], &block["name"], arguments)
    });
    Said { tool_calls: calls(uses.collect()), ..Said::of_parts(Speaker::Assistant, texts) }
}

pub(super) fn answered(answer: &Value) -> (Said, Option<Finish>) {
    let finish = match answer["stop_reason"].as_str() {
        Some("max_tokens" | "model_context_window_exceeded") => Some(Finish::Length),
        Some("tool_use") => Some(Finish::ToolCalls),
        Some("refusal") => Some(Finish::ContentFilter),
        Some(_) => Some(Finish::Stop),
        None => None,
    };
    (said(items(&answer["content"])), finish)
}
