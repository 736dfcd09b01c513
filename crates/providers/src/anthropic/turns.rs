//! Converts the messages of a chat completion to Anthropic's system prompt and turns.

use loam_kernel::{Error, Result};
use serde_json::{Map, Value, json};

use super::tool_ids::to_anthropic;
use super::wire::KIND;
use crate::Feature;
use crate::body::{data_url, parts, required};
use crate::openai::arguments_text;

/// Collects the system prompt from all messages, and makes turns alternate.
pub(super) fn messages(messages: Vec<Value>) -> Result<(Vec<Value>, Vec<Value>)> {
    let (mut system, mut turns) = (Vec::new(), Vec::<(&str, Vec<Value>)>::new());
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages.{at}");
        let content = parts(message.get("content"), &format!("{path}.content"))?;
        let (role, blocks) = match required(message, "role", &path)? {
            "system" | "developer" => {
                system.append(&mut blocks(content, &path)?);
                continue;
            }
            "user" => ("user", blocks(content, &path)?),
            "assistant" => ("assistant", assistant_blocks(message, content, &path)?),
            "tool" => ("user", vec![result(message, content, &path)?]),
            other => {
                let why =
                    format!("there is no role `{other}`: use system, developer, user, assistant or tool");
                return Err(Error::invalid(format!("{path}.role"), why));
            }
        };
        match turns.last_mut() {
            // the results of several calls belong in one turn, followed by the user's text
            Some((last, content)) if *last == role => content.extend(blocks),
            _ if blocks.is_empty() => {}
            _ => turns.push((role, blocks)),
        }
    }
    finish_turns(&mut turns);
    let turns = turns.into_iter().map(|(role, content)| json!({"role": role, "content": content})).collect();
    Ok((system, turns))
}

/// Results must come before a turn's texts, and the last turn of the assistant must not end with a blank.
fn finish_turns(turns: &mut Vec<(&str, Vec<Value>)>) {
    turns.iter_mut().for_each(|(_, content)| content.sort_by_key(|block| block["type"] != "tool_result"));
    if let Some(("assistant", content)) = turns.last_mut()
        && let Some(Value::String(text)) = content.last_mut().and_then(|block| block.get_mut("text"))
    {
        text.truncate(text.trim_end().len());
    }
}

/// Converts content parts to blocks.
fn blocks(content: Vec<Value>, path: &str) -> Result<Vec<Value>> {
    let mut blocks = Vec::new();
    for (at, part) in content.iter().enumerate() {
        let path = format!("{path}.content.{at}");
        let mut block = match required(part, "type", &path)? {
            // Anthropic rejects a text without a visible character
            "text" if required(part, "text", &path)?.trim().is_empty() => continue,
            "text" => json!({"type": "text", "text": part["text"]}),
            "refusal" => json!({"type": "text", "text": part["refusal"]}),
            "image_url" => json!({"type": "image", "source": image(part, &path)?}),
            "file" => document(part, &path)?,
            "input_audio" => return Err(Feature::Audio.unsupported(KIND, path)),
            other => {
                return Err(Error::invalid(format!("{path}.type"), format!("there is no part `{other}`")));
            }
        };
        if let Some(cache) = part.get("cache_control") {
            block["cache_control"] = cache.clone();
        }
        blocks.push(block);
    }
    Ok(blocks)
}

fn image(part: &Value, path: &str) -> Result<Value> {
    let url = required(&part["image_url"], "url", &format!("{path}.image_url"))?;
    if let Some((media_type, data)) = data_url(url) {
        return Ok(json!({"type": "base64", "media_type": media_type, "data": data}));
    }
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(json!({"type": "url", "url": url}));
    }
    Err(Error::invalid(
        format!("{path}.image_url.url"),
        "must be a data URL in base64, or one of http or https",
    ))
}

fn document(part: &Value, path: &str) -> Result<Value> {
    let data = part["file"]["file_data"].as_str().and_then(data_url);
    // a file uploaded to OpenAI is not available to Anthropic
    let Some(("application/pdf", data)) = data else {
        return Err(Feature::Documents.unsupported(KIND, format!("{path}.file")));
    };
    let mut block = json!({
        "type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}
    });
    if let Some(name) = part["file"].get("filename") {
        block["title"] = name.clone();
    }
    Ok(block)
}

/// The assistant's text and tool calls.
fn assistant_blocks(message: &Value, content: Vec<Value>, path: &str) -> Result<Vec<Value>> {
    let mut converted = blocks(content, path)?;
    for (at, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}.tool_calls.{at}");
        let function = &call["function"];
        let arguments = arguments_text(&function["arguments"]);
        let input: Map<String, Value> = serde_json::from_str(&arguments).map_err(|e| {
            Error::invalid(format!("{path}.function.arguments"), format!("must be a JSON object: {e}"))
        })?;
        let name = required(function, "name", &format!("{path}.function"))?;
        let id = to_anthropic(required(call, "id", &path)?);
        converted.push(json!({"type": "tool_use", "id": id, "name": name, "input": input}));
    }
    Ok(converted)
}

/// The result of a tool call.
fn result(message: &Value, content: Vec<Value>, path: &str) -> Result<Value> {
    let id = to_anthropic(required(message, "tool_call_id", path)?);
    Ok(json!({"type": "tool_result", "tool_use_id": id, "content": blocks(content, path)?}))
}
