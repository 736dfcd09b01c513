//! Translates a request for a response to a chat completion, which is then encoded for its provider as those of other
//! clients are.
//!
//! docs/FORMATS.md describes the translation. What only OpenAI's own service has is refused; fields that describe the
//! request, or are hints that no provider has to follow, are left out.

use loam_kernel::{Error, Result};
use serde_json::{Map, Value, json};

use super::input::messages;
use super::previous::previous_response_not_found;
use super::tools::{function_name, functions};
use crate::body::{Body, required};
use crate::{ChatDialect, Feature, ProviderRequest};

/// Fields that don't affect the response, or are hints that no provider has to follow.
const DROPPED_FIELDS: [&str; 13] = [
    "model",
    "store",
    "include",
    "truncation",
    "background",
    "max_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "service_tier",
    "stream_options",
    "top_logprobs",
    "client_metadata",
    "context_management",
];

/// Fields that refer to what OpenAI stores.
const STORED: [&str; 2] = ["conversation", "prompt"];

/// Encodes the chat completion.
pub(crate) fn responses_to_chat(
    dialect: &ChatDialect,
    provider_request: &ProviderRequest<'_>,
) -> Result<Map<String, Value>> {
    let mut body = Body::read(provider_request.body)?;
    reject_unsupported(dialect, &mut body)?;
    let mut chat = Map::new();
    chat.insert("model".to_owned(), provider_request.model.into());
    let (instructions, input) = (body.text("instructions")?, body.take("input"));
    chat.insert("messages".to_owned(), messages(dialect, instructions.as_deref(), input.as_ref())?.into());
    if let Some(limit) = body.take("max_output_tokens") {
        chat.insert(dialect.max_tokens.to_owned(), limit);
    }
    if body.take("stream") == Some(Value::Bool(true)) {
        chat.insert("stream".to_owned(), true.into());
        chat.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    tools(dialect.kind, &mut body, &mut chat)?;
    format(body.take("text"), &mut chat)?;
    let reasoning = body.take("reasoning").unwrap_or_default();
    if let Some(effort) = reasoning["effort"].as_str() {
        let thinking = json!({"type": if effort == "none" { "disabled" } else { "enabled" }});
        (dialect.apply_reasoning)(Some(&thinking), Some(effort), &mut chat);
    }
    let mut rest = body.rest();
    rest.retain(|name, value| !value.is_null() && !DROPPED_FIELDS.contains(&name.as_str()));
    for (name, value) in rest {
        chat.entry(name).or_insert(value);
    }
    Ok(chat)
}

/// Rejects what only the service has that stores responses.
fn reject_unsupported(dialect: &ChatDialect, body: &mut Body) -> Result<()> {
    if let Some(id) = body.text("previous_response_id")? {
        let why =
            format!("providers of kind `{}` can only continue responses that Loam stored", dialect.kind);
        return Err(previous_response_not_found(&id, &why));
    }
    for field in STORED {
        if body.take(field).is_some() {
            return Err(Feature::Native.unsupported(dialect.kind, field));
        }
    }
    if body.take("background") == Some(Value::Bool(true)) {
        return Err(Feature::Native.unsupported(dialect.kind, "background"));
    }
    if body.take("top_logprobs").is_some_and(|count| count != 0) {
        return Err(Feature::Logprobs.unsupported(dialect.kind, "top_logprobs"));
    }
    Ok(())
}

/// Tools, which of them may be called, and how many at once.
fn tools(kind: &str, body: &mut Body, chat: &mut Map<String, Value>) -> Result<()> {
    let mut functions = functions(kind, &body.list("tools")?)?;
    let choice = body.take("tool_choice").unwrap_or_default();
    let one_at_a_time = body.take("parallel_tool_calls") == Some(Value::Bool(false));
    let name = |choice: &Value, path: &str| {
        Ok::<_, Error>(function_name(choice["namespace"].as_str(), required(choice, "name", path)?))
    };
    let chosen = match &choice {
        Value::Null => None,
        Value::String(word) if ["auto", "none", "required"].contains(&word.as_str()) => Some(json!(word)),
        Value::Object(fields) => match fields.get("type").and_then(Value::as_str) {
            Some("function" | "custom") => {
                Some(json!({"type": "function", "function": {"name": name(&choice, "tool_choice")?}}))
            }
            Some("allowed_tools") => {
                let allowed = choice["tools"].as_array().into_iter().flatten();
                let allowed = allowed
                    .enumerate()
                    .map(|(at, tool)| name(tool, &format!("tool_choice.tools.{at}")))
                    .collect::<Result<Vec<_>>>()?;
                functions.retain(|tool| allowed.iter().any(|name| tool["function"]["name"] == name.as_str()));
                Some(choice["mode"].clone())
            }
            _ => return Err(Feature::ServerTools.unsupported(kind, "tool_choice")),
        },
        _ => return Err(Error::invalid("tool_choice", "must be auto, none, required, or a tool")),
    };
    if functions.is_empty() {
        return Ok(());
    }
    chat.insert("tools".to_owned(), functions.into());
    chat.extend(chosen.map(|chosen| ("tool_choice".to_owned(), chosen)));
    if one_at_a_time {
        chat.insert("parallel_tool_calls".to_owned(), false.into());
    }
    Ok(())
}

/// The format of the text.
fn format(text: Option<Value>, chat: &mut Map<String, Value>) -> Result<()> {
    let Some(format) = text.and_then(|text| text.get("format").cloned()).filter(|format| !format.is_null())
    else {
        return Ok(());
    };
    let response_format = match required(&format, "type", "text.format")? {
        "text" => return Ok(()),
        "json_object" => json!({"type": "json_object"}),
        "json_schema" => {
            let mut schema =
                json!({"name": required(&format, "name", "text.format")?, "schema": format["schema"]});
            for field in ["strict", "description"] {
                if !format[field].is_null() {
                    schema[field] = format[field].clone();
                }
            }
            json!({"type": "json_schema", "json_schema": schema})
        }
        other => return Err(Error::invalid("text.format.type", format!("there is no format `{other}`"))),
    };
    chat.insert("response_format".to_owned(), response_format);
    Ok(())
}

/// An error about a field of the chat completion, with the name of the client's field.
pub(crate) fn name_fields(error: Error) -> Error {
    let param = error.param().and_then(|param| match param.split('.').next()? {
        "messages" => Some("input".to_owned()),
        "response_format" => Some(param.replacen("response_format", "text.format", 1)),
        _ => None,
    });
    match param {
        Some(param) => error.with_param(param),
        None => error,
    }
}
