//! OpenAI's responses.

use serde_json::{Value, json};

use super::{Finish, Said, Speaker, call, items};

pub(super) fn asked(body: &Value) -> Vec<Said> {
    let mut all = Vec::new();
    if let Some(instructions) = body["instructions"].as_str().filter(|text| !text.is_empty()) {
        all.push(Said::text(Speaker::System, instructions));
    }
    match &body["input"] {
        Value::String(text) => all.push(Said::text(Speaker::User, text)),
        input => items(input).iter().for_each(|item| add(item, &mut all)),
    }
    all
}

/// Adds an item to what was said. A call of a function belongs to what the model said just before.
fn add(item: &Value, all: &mut Vec<Said>) {
    match item["type"].as_str() {
        Some("message") | None => {
            let speaker = match item["role"].as_str() {
                Some("system" | "developer") => Speaker::System,
                Some("assistant") => Speaker::Assistant,
                Some(_) => Speaker::User,
                None => return,
            };
            all.push(match &item["content"] {
                Value::String(text) => Said::text(speaker, text),
                content => Said::of_parts(speaker, items(content).iter().map(part).collect()),
            });
        }
        Some("function_call") => {
            let call = call(&item["call_id"], &item["name"], item["arguments"].as_str().unwrap_or_default());
            match all.last_mut().filter(|last| last.speaker == Speaker::Assistant) {
                Some(Said { tool_calls: Some(Value::Array(calls)), .. }) => calls.push(call),
                Some(last) => last.tool_calls = Some(json!([call])),
                None => {
                    let said = Said::text(Speaker::Assistant, "");
                    all.push(Said { tool_calls: Some(json!([call])), ..said });
                }
            }
        }
        Some("function_call_output") => {
            let mut said = match &item["output"] {
                Value::String(text) => Said::text(Speaker::Tool, text),
                output => Said::of_parts(Speaker::Tool, items(output).iter().map(part).collect()),
            };
            said.tool_call_id = item["call_id"].as_str().map(str::to_owned);
            all.push(said);
        }
        // thoughts, and the uses of the provider's own tools
        Some(_) => {}
    }
}

/// A part as chat completions have it. What has no such part is kept as it is.
fn part(part: &Value) -> Value {
    match part["type"].as_str() {
        Some("input_text" | "output_text" | "text") => json!({ "type": "text", "text": part["text"] }),
        Some("refusal") => json!({ "type": "text", "text": part["refusal"] }),
        Some("input_image") if part["image_url"].is_string() => {
            json!({ "type": "image_url", "image_url": { "url": part["image_url"] } })
        }
        Some("input_file") => {
            let field = |name: &str| (!part[name].is_null()).then(|| (name.to_owned(), part[name].clone()));
            let fields = ["filename", "file_data", "file_id"].into_iter().filter_map(field);
            json!({ "type": "file", "file": Value::Object(fields.collect()) })
        }
        _ => part.clone(),
    }
}

pub(super) fn answered(answer: &Value) -> (Said, Option<Finish>) {
    let mut all = vec![Said::text(Speaker::Assistant, "")];
    items(&answer["output"]).iter().for_each(|item| add(item, &mut all));
    let said = all.into_iter().reduce(joined).unwrap_or_else(|| Said::text(Speaker::Assistant, ""));
    let finish = match (answer["status"].as_str(), answer["incomplete_details"]["reason"].as_str()) {
        (Some("completed"), _) if said.tool_calls.is_some() => Some(Finish::ToolCalls),
        (Some("completed"), _) => Some(Finish::Stop),
        (Some("incomplete"), Some("content_filter")) => Some(Finish::ContentFilter),
        (Some("incomplete"), _) => Some(Finish::Length),
        _ => None,
    };
    (said, finish)
}

/// The messages of one answer are one.
fn joined(mut before: Said, after: Said) -> Said {
    before.text.push_str(&after.text);
    before.parts = before.parts.or(after.parts);
    match (&mut before.tool_calls, after.tool_calls) {
        (Some(Value::Array(calls)), Some(Value::Array(more))) => calls.extend(more),
        (none, more) => *none = none.take().or(more),
    }
    before
}
