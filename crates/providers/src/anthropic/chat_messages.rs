//! Converts the turns of a request of Anthropic's Messages API to the messages of a chat completion.

use loam_kernel::Result;
use serde_json::{Value, json};

use super::to_chat::ChatDialect;
use super::tool_ids::from_anthropic;
use crate::body::{parts, required};
use crate::omitted::Omitted;

/// Joins the texts of text blocks.
pub(super) fn join_texts(blocks: &[Value], path: &str, between: &str) -> Result<String> {
    let text = |(at, block): (usize, &Value)| {
        required(block, "text", &format!("{path}.content.{at}")).map(str::to_owned)
    };
    Ok(blocks.iter().enumerate().map(text).collect::<Result<Vec<_>>>()?.join(between))
}

/// Instructions within the conversation. A tool that they define is offered from the start, like those that they name.
pub(super) fn system_message(
    content: &[Value],
    path: &str,
    added: &mut Vec<Value>,
    omitted: &mut Omitted,
) -> Result<Option<Value>> {
    let mut texts = Vec::new();
    for (at, block) in content.iter().enumerate() {
        match required(block, "type", &format!("{path}.content.{at}"))? {
            "text" => texts.push(block.clone()),
            "tool_addition" => added.extend(block["tool"].get("definition").cloned()),
            kind => omitted.note(&format!("a block `{kind}`"), "only Anthropic has it"),
        }
    }
    let text = join_texts(&texts, path, "\n\n")?;
    Ok((!text.is_empty()).then(|| json!({"role": "system", "content": text})))
}

/// Converts a user turn: tool results become messages of their own, which must come first, then the rest.
pub(super) fn push_user_messages(
    content: &[Value],
    path: &str,
    messages: &mut Vec<Value>,
    omitted: &mut Omitted,
) -> Result<()> {
    let mut user_parts = Vec::new();
    for (at, block) in content.iter().enumerate() {
        let path = format!("{path}.content.{at}");
        if required(block, "type", &path)? == "tool_result" {
            let result = parts(block.get("content"), &format!("{path}.content"))?;
            let (mut texts, mut others) = (Vec::new(), Vec::new());
            for (at, part) in result.iter().enumerate() {
                let part = user_part(part, &format!("{path}.content.{at}"), omitted)?;
                if part["type"] == "text" { texts.push(part) } else { others.push(part) }
            }
            let mut text = join_texts(&texts, &path, "\n\n")?;
            if block["is_error"] == true {
                // a chat completion has no field for it
                text = format!("Error: {text}");
            }
            let id = from_anthropic(required(block, "tool_use_id", &path)?);
            messages.push(json!({"role": "tool", "tool_call_id": id, "content": text}));
            // a tool message can't hold an image or a file, so a user message does
            user_parts.append(&mut others);
        } else {
            user_parts.push(user_part(block, &path, omitted)?);
        }
    }
    if user_parts.iter().all(|part| part["type"] == "text") {
        if !user_parts.is_empty() {
            // every server accepts a string, but not every one a list of text parts
            messages.push(json!({"role": "user", "content": join_texts(&user_parts, path, "\n\n")?}));
        }
    } else {
        messages.push(json!({"role": "user", "content": user_parts}));
    }
    Ok(())
}

/// A block of the user's as a content part.
fn user_part(block: &Value, path: &str, omitted: &mut Omitted) -> Result<Value> {
    match required(block, "type", path)? {
        "text" => Ok(json!({"type": "text", "text": required(block, "text", path)?})),
        "image" => {
            let (source, path) = (&block["source"], format!("{path}.source"));
            let url = match required(source, "type", &path)? {
                "base64" => {
                    let media_type = required(source, "media_type", &path)?;
                    format!("data:{media_type};base64,{}", required(source, "data", &path)?)
                }
                "url" => required(source, "url", &path)?.to_owned(),
                _ => return Ok(omitted.content("an image", NOT_WITHIN)),
            };
            Ok(json!({"type": "image_url", "image_url": {"url": url}}))
        }
        "document" => document(block, path, omitted),
        "search_result" => {
            let content = parts(block.get("content"), &format!("{path}.content"))?;
            let head = [&block["title"], &block["source"]].into_iter().filter_map(Value::as_str);
            let text = join_texts(&content, path, "\n\n")?;
            let text = head.map(str::to_owned).chain([text]).collect::<Vec<_>>().join("\n");
            Ok(json!({"type": "text", "text": text}))
        }
        kind => Ok(omitted.content(&format!("a block `{kind}`"), "only Anthropic has it")),
    }
}

/// Why a source of an image or a document can't be sent on.
const NOT_WITHIN: &str =
    "only one that is within the request, not one uploaded to Anthropic, can be forwarded";

/// A PDF as a file, other documents as their text.
fn document(block: &Value, path: &str, omitted: &mut Omitted) -> Result<Value> {
    let (source, path) = (&block["source"], format!("{path}.source"));
    let title = block["title"].as_str();
    let text = match required(source, "type", &path)? {
        "base64" if source["media_type"] == "application/pdf" => {
            let data = format!("data:application/pdf;base64,{}", required(source, "data", &path)?);
            let file = json!({"filename": title.unwrap_or("document.pdf"), "file_data": data});
            return Ok(json!({"type": "file", "file": file}));
        }
        "text" => required(source, "data", &path)?.to_owned(),
        "content" => {
            let content = parts(source.get("content"), &format!("{path}.content"))?;
            let texts: Vec<Value> = content.into_iter().filter(|part| part["type"] == "text").collect();
            join_texts(&texts, &path, "\n\n")?
        }
        _ => return Ok(omitted.content("a document", NOT_WITHIN)),
    };
    let text = title.map_or(text.clone(), |title| format!("{title}\n\n{text}"));
    Ok(json!({"type": "text", "text": text}))
}

/// The assistant's text, reasoning and tool calls.
pub(super) fn assistant_message(
    dialect: &ChatDialect,
    content: &[Value],
    path: &str,
    omitted: &mut Omitted,
) -> Result<Value> {
    let (mut text, mut reasoning, mut calls) = (String::new(), String::new(), Vec::new());
    for (at, block) in content.iter().enumerate() {
        let path = format!("{path}.content.{at}");
        match required(block, "type", &path)? {
            "text" => text.push_str(required(block, "text", &path)?),
            "thinking" => reasoning.push_str(required(block, "thinking", &path)?),
            "redacted_thinking" => {}
            "tool_use" => {
                let arguments =
                    if block["input"].is_object() { block["input"].to_string() } else { "{}".to_owned() };
                let name = required(block, "name", &path)?;
                calls.push(json!({"id": from_anthropic(required(block, "id", &path)?), "type": "function",
                    "function": {"name": name, "arguments": arguments}}));
            }
            // a tool that Anthropic ran, and what it found: the text that followed is what counts
            kind => omitted.note(&format!("a block `{kind}`"), "only Anthropic has it"),
        }
    }
    let content = if text.is_empty() && !calls.is_empty() { Value::Null } else { text.into() };
    let mut message = json!({"role": "assistant", "content": content});
    if dialect.resends_reasoning && !reasoning.is_empty() {
        message["reasoning_content"] = reasoning.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    Ok(message)
}
