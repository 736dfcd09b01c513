//! Translates Anthropic's Messages API to a chat completion, for every kind that speaks OpenAI's format.
//!
//! docs/FORMATS.md describes the translation. Fields that only Anthropic's own models use (`cache_control`, signatures
//! of thinking, `context_management`) are dropped. Content that a chat completion can't hold is left out and noted, so
//! that a long conversation goes on; what a request depends on as a whole is rejected.

use loam_kernel::{Error, Result};
use serde_json::{Map, Value, json};

use super::chat_messages::{assistant_message, join_texts, push_user_messages, system_message};
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
