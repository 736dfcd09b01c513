//! Translates a chat completion to Anthropic's Messages API.
//!
//! docs/FORMATS.md describes the translation. Nothing that changes the response is left out: features that Anthropic
//! lacks are rejected, fields that only describe the request or are hints (`store`, `metadata`, `seed`,
//! `prompt_cache_key`, …) are dropped, and unknown fields are forwarded, so that a client can use Anthropic's own.

use bytes::Bytes;
use loam_kernel::{Error, Result};
use serde_json::{Map, Value, json};

use super::reasoning::{Reasoning, apply_reasoning_effort};
use super::sampling::fit_sampling;
use super::turns::messages;
use super::wire::KIND;
use crate::body::{Body, MAX_ANTHROPIC_USER, bounded_user, object_schema, required};
use crate::omitted::Omitted;
use crate::{Config, Feature};

/// The default limit, as Anthropic requires one.
const MAX_TOKENS: u64 = 4096;

/// Fields that don't affect the response, or are hints that no provider has to follow.
const DROPPED_FIELDS: [&str; 11] = [
    "model",
    "stream_options",
    "store",
    "metadata",
    "seed",
    "prompt_cache_key",
    "prompt_cache_retention",
    "verbosity",
    "service_tier",
    "prediction",
    "top_logprobs",
];

/// Encodes the request for Anthropic.
pub(super) fn from_chat(
    config: &Config,
    model: &str,
    mut body: Body,
    omitted: &mut Omitted,
) -> Result<Bytes> {
    reject_unsupported(&mut body)?;
    let mut request = Map::new();
    request.insert("model".to_owned(), model.into());

    let (system, messages) = messages(body.list("messages")?)?;
    let mid_call = messages.last().is_some_and(|turn| turn["content"][0]["type"] == "tool_result");
    if !system.is_empty() {
        request.insert("system".to_owned(), system.into());
    }
    request.insert("messages".to_owned(), messages.into());

    let limits = [body.take("max_completion_tokens"), body.take("max_tokens")];
    let default = || config.max_tokens.unwrap_or(MAX_TOKENS).into();
    request.insert("max_tokens".to_owned(), limits.into_iter().flatten().next().unwrap_or_else(default));
    if let Some(stream) = body.take("stream") {
        request.insert("stream".to_owned(), stream);
    }
    if let Some(top_p) = body.take("top_p") {
        request.insert("top_p".to_owned(), top_p);
    }
    if let Some(temperature) = body.take("temperature") {
        // OpenAI's range ends at 2, Anthropic's at 1
        let temperature =
            if temperature.as_f64().is_some_and(|t| t > 1.0) { json!(1.0) } else { temperature };
        request.insert("temperature".to_owned(), temperature);
    }
    match body.take("stop") {
        None => {}
        Some(Value::String(stop)) => drop(request.insert("stop_sequences".to_owned(), json!([stop]))),
        Some(stop) => drop(request.insert("stop_sequences".to_owned(), stop)),
    }
    let user = [body.take("user"), body.take("safety_identifier")];
    if let Some(user) = user.into_iter().flatten().next() {
        let user = bounded_user(user, MAX_ANTHROPIC_USER);
        request.insert("metadata".to_owned(), json!({"user_id": user}));
    }
    format(body.take("response_format"), &mut request)?;
    let forced = tools(&mut body, &mut request)?;
    if let Some(effort) = body.text("reasoning_effort")? {
        let reasoning = Reasoning { effort: &effort, forced, mid_call };
        apply_reasoning_effort(config.thinking, model, &reasoning, &mut request, omitted);
    }

    let mut rest = body.rest();
    rest.retain(|name, _| !DROPPED_FIELDS.contains(&name.as_str()));
    for (name, value) in rest {
        request.entry(name).or_insert(value);
    }
    fit_sampling(model, &mut request, omitted);
    Ok(Value::Object(request).to_string().into())
}

/// Rejects features that Anthropic lacks.
fn reject_unsupported(body: &mut Body) -> Result<()> {
    let is = |value: &Value, allowed: &[Value]| allowed.contains(value);
    let table: [(&str, Feature, &[Value]); 11] = [
        ("n", Feature::Choices, &[json!(1)]),
        ("logprobs", Feature::Logprobs, &[json!(false)]),
        ("logit_bias", Feature::Logprobs, &[json!({})]),
        ("presence_penalty", Feature::Penalties, &[json!(0), json!(0.0)]),
        ("frequency_penalty", Feature::Penalties, &[json!(0), json!(0.0)]),
        ("audio", Feature::Audio, &[]),
        ("modalities", Feature::Audio, &[json!(["text"])]),
        ("web_search_options", Feature::ServerTools, &[]),
        ("functions", Feature::Native, &[json!([])]),
        ("function_call", Feature::Native, &[]),
        ("moderation", Feature::Native, &[]),
    ];
    for (field, feature, allowed) in table {
        if body.take(field).is_some_and(|value| !is(&value, allowed)) {
            return Err(feature.unsupported(KIND, field));
        }
    }
    Ok(())
}

/// Structured outputs (/docs/en/build-with-claude/structured-outputs), which need no beta header.
fn format(format: Option<Value>, request: &mut Map<String, Value>) -> Result<()> {
    let Some(format) = format else { return Ok(()) };
    match required(&format, "type", "response_format")? {
        "text" => Ok(()),
        "json_schema" => {
            let schema = format["json_schema"]["schema"].clone();
            if !schema.is_object() {
                return Err(Error::invalid("response_format.json_schema.schema", "must be a JSON Schema"));
            }
            let config = json!({"format": {"type": "json_schema", "schema": schema}});
            request.insert("output_config".to_owned(), config);
            Ok(())
        }
        // without a schema there is no JSON mode
        _ => Err(Feature::JsonObject.unsupported(KIND, "response_format")),
    }
}

/// Tools and `tool_choice`; true if a tool must be called.
fn tools(body: &mut Body, request: &mut Map<String, Value>) -> Result<bool> {
    let mut tools = Vec::new();
    for (at, tool) in body.list("tools")?.iter().enumerate() {
        let path = format!("tools.{at}");
        if required(tool, "type", &path)? != "function" {
            return Err(Feature::Native.unsupported(KIND, format!("{path}.type")));
        }
        let function = &tool["function"];
        let mut converted = json!({
            "name": required(function, "name", &format!("{path}.function"))?,
            "input_schema": object_schema(function.get("parameters")),
        });
        if let Some(description) = function.get("description").filter(|text| !text.is_null()) {
            converted["description"] = description.clone();
        }
        if function["strict"] == true {
            converted["strict"] = true.into();
        }
        if let Some(cache) = tool.get("cache_control") {
            converted["cache_control"] = cache.clone();
        }
        tools.push(converted);
    }
    let choice = body.take("tool_choice");
    let one_at_a_time = body.take("parallel_tool_calls") == Some(Value::Bool(false));
    if tools.is_empty() {
        return Ok(false);
    }
    request.insert("tools".to_owned(), tools.into());
    let mut chosen = match &choice {
        None => json!({"type": "auto"}),
        Some(Value::String(word)) if word == "auto" || word == "none" => json!({"type": word}),
        Some(Value::String(word)) if word == "required" => json!({"type": "any"}),
        Some(choice) if choice["type"] == "function" => {
            json!({"type": "tool", "name": required(&choice["function"], "name", "tool_choice.function")?})
        }
        Some(_) => return Err(Feature::ToolChoice.unsupported(KIND, "tool_choice")),
    };
    if one_at_a_time && chosen["type"] != "none" {
        chosen["disable_parallel_tool_use"] = true.into();
    }
    let forced = chosen["type"] == "any" || chosen["type"] == "tool";
    if choice.is_some() || one_at_a_time {
        request.insert("tool_choice".to_owned(), chosen);
    }
    Ok(forced)
}
