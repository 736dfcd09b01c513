//! Translates Anthropic's Messages API to a chat completion, for every kind that speaks OpenAI's format.
//!
//! docs/FORMATS.md describes the translation. Fields that only Anthropic's own models use (`cache_control`, signatures
//! of thinking, `context_management`) are dropped. Content that a chat completion can't hold is left out and noted, so
//! that a long conversation goes on; what a request depends on as a whole is rejected.

use loam_kernel::{Error, Result};
use serde_json::{Map, Value, json};

use super::tool_ids::from_anthropic;
use crate::body::{Body, MAX_OPENAI_USER, bounded_user, object_schema, parts, required};
use crate::omitted::Omitted;
use crate::{Feature, ProviderRequest};

/// Fields that don't affect the response, or that only Anthropic's own models use.
const DROPPED_FIELDS: [&str; 6] =
    ["model", "service_tier", "context_management", "cache_control", "inference_geo", "speed"];

/// How a kind's chat completions differ from OpenAI's.
pub(crate) struct ChatDialect {
    /// The name of the kind.
    pub(crate) kind: &'static str,
    /// The field for the token limit.
    pub(crate) max_tokens: &'static str,
    /// Whether the reasoning of earlier turns must be sent back.
    pub(crate) resends_reasoning: bool,
    /// Sets the amount of reasoning from `thinking` and `output_config.effort`.
    pub(crate) apply_reasoning: fn(Option<&Value>, Option<&str>, &mut Map<String, Value>),
}

/// Encodes the chat completion for the provider.
pub(crate) fn to_chat(
    dialect: &ChatDialect,
    provider_request: &ProviderRequest<'_>,
    omitted: &mut Omitted,
) -> Result<Map<String, Value>> {
    let mut body = Body::read(provider_request.body)?;
    for (field, feature) in [("mcp_servers", Feature::ServerTools), ("container", Feature::ServerTools)] {
        if body.take(field).is_some_and(|value| value != json!([])) {
            return Err(feature.unsupported(dialect.kind, field));
        }
    }
    let mut chat = Map::new();
    chat.insert("model".to_owned(), provider_request.model.into());

    let mut messages = Vec::new();
    let system = parts(body.take("system").as_ref(), "system")?;
    if !system.is_empty() {
        messages.push(json!({"role": "system", "content": join_texts(&system, "system", "\n\n")?}));
    }
    let (turns, mut added) = (body.list("messages")?, Vec::new());
    for (at, turn) in turns.iter().enumerate() {
        let path = format!("messages.{at}");
        let content = parts(turn.get("content"), &format!("{path}.content"))?;
        match required(turn, "role", &path)? {
            "user" => push_user_messages(&content, &path, &mut messages, omitted)?,
            "assistant" if at + 1 == turns.len() => {
                return Err(Feature::Prefill.unsupported(dialect.kind, path));
            }
            "assistant" => messages.push(assistant_message(dialect, &content, &path, omitted)?),
            "system" => {
                messages.extend(system_message(&content, &path, &mut added, omitted)?);
            }
            other => {
                let why = format!("there is no role `{other}`: use user or assistant");
                return Err(Error::invalid(format!("{path}.role"), why));
            }
        }
    }
    chat.insert("messages".to_owned(), messages.into());

    let limit = body.take("max_tokens").ok_or_else(|| Error::invalid("max_tokens", "is missing"))?;
    chat.insert(dialect.max_tokens.to_owned(), limit);
    for field in ["temperature", "top_p"] {
        if let Some(value) = body.take(field) {
            chat.insert(field.to_owned(), value);
        }
    }
    if let Some(stop) = body.take("stop_sequences").filter(|stop| *stop != json!([])) {
        chat.insert("stop".to_owned(), stop);
    }
    if body.take("stream") == Some(Value::Bool(true)) {
        chat.insert("stream".to_owned(), true.into());
        chat.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    if let Some(user) = body.take("metadata").and_then(|metadata| metadata.get("user_id").cloned()) {
        chat.insert("user".to_owned(), bounded_user(user, MAX_OPENAI_USER));
    }
    tools(dialect, &mut body, &mut chat, added, omitted)?;
    let output = body.take("output_config").unwrap_or_default();
    // the field of the beta feature that became `output_config.format`
    let beta = body.take("output_format");
    if let Some(format) = output.get("format").filter(|format| !format.is_null()).or(beta.as_ref()) {
        let schema = json!({"name": "answer", "schema": format["schema"], "strict": true});
        chat.insert("response_format".to_owned(), json!({"type": "json_schema", "json_schema": schema}));
    }
    (dialect.apply_reasoning)(body.take("thinking").as_ref(), output["effort"].as_str(), &mut chat);

    let mut rest = body.rest();
    rest.retain(|name, _| !DROPPED_FIELDS.contains(&name.as_str()));
    for (name, value) in rest {
        chat.entry(name).or_insert(value);
    }
    Ok(chat)
}

/// Joins the texts of text blocks.
fn join_texts(blocks: &[Value], path: &str, between: &str) -> Result<String> {
    let text = |(at, block): (usize, &Value)| {
        required(block, "text", &format!("{path}.content.{at}")).map(str::to_owned)
    };
    Ok(blocks.iter().enumerate().map(text).collect::<Result<Vec<_>>>()?.join(between))
}

/// Instructions within the conversation. A tool that they define is offered from the start, like those that they name.
fn system_message(
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
fn push_user_messages(
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
fn assistant_message(
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

/// The client's tools. Those of Anthropic's are left out if there are others, as a model need not use them.
fn tools(
    dialect: &ChatDialect,
    body: &mut Body,
    chat: &mut Map<String, Value>,
    added: Vec<Value>,
    omitted: &mut Omitted,
) -> Result<()> {
    let mut offered = body.list("tools")?;
    offered.extend(added);
    let is_clients = |tool: &Value| tool.get("type").is_none_or(|kind| kind == "custom" || kind.is_null());
    let choice = body.take("tool_choice");
    let forced = choice.as_ref().and_then(|choice| choice["name"].as_str());
    let mut tools = Vec::new();
    for (at, tool) in offered.iter().enumerate() {
        let path = format!("tools.{at}");
        if !is_clients(tool) {
            if !offered.iter().any(is_clients) || forced.is_some_and(|name| tool["name"] == name) {
                return Err(Feature::ServerTools.unsupported(dialect.kind, format!("{path}.type")));
            }
            omitted.note(&format!("the tool {}", tool["type"]), Feature::ServerTools.lacking(dialect.kind));
            continue;
        }
        let mut function = json!({
            "name": required(tool, "name", &path)?,
            "parameters": object_schema(tool.get("input_schema")),
        });
        for field in ["description", "strict"] {
            if let Some(value) = tool.get(field) {
                function[field] = value.clone();
            }
        }
        tools.push(json!({"type": "function", "function": function}));
    }
    if tools.is_empty() {
        return Ok(());
    }
    chat.insert("tools".to_owned(), tools.into());
    let Some(choice) = choice else { return Ok(()) };
    let chosen = match required(&choice, "type", "tool_choice")? {
        "any" => json!("required"),
        "tool" => {
            json!({"type": "function", "function": {"name": required(&choice, "name", "tool_choice")?}})
        }
        word @ ("auto" | "none") => json!(word),
        other => return Err(Error::invalid("tool_choice.type", format!("there is no choice `{other}`"))),
    };
    chat.insert("tool_choice".to_owned(), chosen);
    if choice["disable_parallel_tool_use"] == true {
        chat.insert("parallel_tool_calls".to_owned(), false.into());
    }
    Ok(())
}
