//! Converts a chat completion to a message for an application.
//!
//! Dify accepts one query at a time. In an existing conversation that is the last user message; in a new one it is
//! preceded by the earlier messages: the system prompt, and the turns as a transcript.

use bytes::Bytes;
use loam_kernel::{Error, Result};
use serde_json::{Map, Value, json};

use super::KIND;
use crate::anthropic::{ChatDialect, to_chat};
use crate::body::{Body, MAX_DIFY_USER, bounded_user, parts, required};
use crate::completions::completions_to_chat;
use crate::omitted::Omitted;
use crate::responses::responses_to_chat;
use crate::{Config, Endpoint, Feature, ProviderRequest};

/// The user, if the client names none: Dify requires one.
const DEFAULT_USER: &str = "loam";

/// Requests of other formats are first translated to chat completions.
static WAYS: ChatDialect = ChatDialect {
    kind: KIND,
    max_tokens: "max_tokens",
    resends_reasoning: false,
    apply_reasoning: |_, _, _| {},
};

/// Encodes the request for Dify.
pub(super) fn request(
    config: &Config,
    provider_request: &ProviderRequest<'_>,
    omitted: &mut Omitted,
) -> Result<Bytes> {
    let mut body = match provider_request.endpoint {
        Endpoint::Messages => Body::of(to_chat(&WAYS, provider_request, omitted)?),
        Endpoint::Responses => Body::of(responses_to_chat(&WAYS, provider_request)?),
        Endpoint::Completions => Body::of(completions_to_chat(KIND, provider_request)?),
        _ => Body::read(provider_request.body)?,
    };
    reject_unsupported(&mut body, provider_request.endpoint)?;
    let (mut dify_fields, metadata) = dify_fields(&mut body, provider_request)?;
    let conversation =
        dify_fields.remove("conversation_id").or_else(|| metadata.get("conversation_id").cloned());
    let conversation = match conversation {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if id.is_empty() => None,
        Some(Value::String(id)) => Some(id),
        Some(_) => return Err(Error::invalid("dify.conversation_id", "must be a string")),
    };
    let inputs = dify_fields.remove("inputs").unwrap_or_else(|| json!({}));
    if !inputs.is_object() {
        return Err(Error::invalid("dify.inputs", "must be an object"));
    }
    let users = [
        dify_fields.remove("user"),
        body.take("user"),
        body.take("safety_identifier"),
        metadata.get("user_id").cloned(),
    ];
    let user = users.into_iter().flatten().find(|user| user.as_str().is_some_and(|user| !user.is_empty()));

    let (query, files) = query_and_files(&body.list("messages")?, conversation.is_some())?;
    let streams = provider_request.envelope.stream || config.agent;
    let mut request = json!({
        "query": query, "inputs": inputs, "response_mode": if streams { "streaming" } else { "blocking" },
        "user": bounded_user(user.unwrap_or_else(|| DEFAULT_USER.into()), MAX_DIFY_USER),
    });
    if let Some(id) = conversation {
        request["conversation_id"] = id.into();
    }
    if !files.is_empty() {
        request["files"] = files.into();
    }
    // `auto_generate_name`, `trace_id`, and any other field of Dify's
    for (name, value) in dify_fields {
        if request.get(&name).is_none() {
            request[name] = value;
        }
    }
    Ok(request.to_string().into())
}

/// The fields for Dify, and the metadata, which the translation from Anthropic's format drops.
fn dify_fields(
    body: &mut Body,
    provider_request: &ProviderRequest<'_>,
) -> Result<(Map<String, Value>, Map<String, Value>)> {
    let metadata = match provider_request.endpoint {
        Endpoint::Messages => Body::read(provider_request.body)?.take("metadata"),
        _ => body.take("metadata"),
    };
    let object = |name: &str, value: Option<Value>| match value {
        None => Ok(Map::new()),
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) => Err(Error::invalid(name, "must be an object")),
    };
    Ok((object("dify", body.take("dify"))?, object("metadata", metadata)?))
}

/// Rejects what an application doesn't support.
fn reject_unsupported(body: &mut Body, endpoint: Endpoint) -> Result<()> {
    let table: [(&str, &str, Feature, &[Value]); 9] = [
        ("tools", "tools", Feature::Tools, &[json!([])]),
        ("functions", "functions", Feature::Tools, &[json!([])]),
        ("tool_choice", "tool_choice", Feature::Tools, &[json!("auto"), json!("none")]),
        ("stop", "stop_sequences", Feature::Stop, &[json!([])]),
        ("n", "n", Feature::Choices, &[json!(1)]),
        ("logprobs", "logprobs", Feature::Logprobs, &[json!(false)]),
        ("logit_bias", "logit_bias", Feature::Logprobs, &[json!({})]),
        ("audio", "audio", Feature::Audio, &[]),
        ("modalities", "modalities", Feature::Audio, &[json!(["text"])]),
    ];
    for (field, anthropic_field, feature, allowed) in table {
        if body.take(field).is_some_and(|value| !allowed.contains(&value)) {
            let param = if endpoint == Endpoint::Messages { anthropic_field } else { field };
            return Err(feature.unsupported(KIND, param));
        }
    }
    match body.take("response_format") {
        Some(format) if format["type"] == "json_schema" => {
            let param =
                if endpoint == Endpoint::Messages { "output_config.format" } else { "response_format" };
            Err(Feature::JsonSchema.unsupported(KIND, param))
        }
        Some(format) if format["type"] != "text" => {
            Err(Feature::JsonObject.unsupported(KIND, "response_format"))
        }
        _ => Ok(()),
    }
}

/// The query, and its images.
fn query_and_files(messages: &[Value], conversation_exists: bool) -> Result<(String, Vec<Value>)> {
    let mut turns = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages.{at}");
        let role = required(message, "role", &path)?;
        if role == "tool" || message["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty()) {
            return Err(Feature::Tools.unsupported(KIND, path));
        }
        let (mut text, mut files) = (Vec::new(), Vec::new());
        for (at, part) in parts(message.get("content"), &format!("{path}.content"))?.iter().enumerate() {
            let path = format!("{path}.content.{at}");
            match required(part, "type", &path)? {
                "text" => text.push(required(part, "text", &path)?.to_owned()),
                "image_url" => {
                    let url = required(&part["image_url"], "url", &format!("{path}.image_url"))?;
                    // a base64 image would first have to be uploaded
                    if url.starts_with("data:") {
                        return Err(Feature::ImageData.unsupported(KIND, format!("{path}.image_url.url")));
                    }
                    files.push(json!({"type": "image", "transfer_method": "remote_url", "url": url}));
                }
                "input_audio" => return Err(Feature::Audio.unsupported(KIND, path)),
                "file" => return Err(Feature::Documents.unsupported(KIND, path)),
                other => {
                    return Err(Error::invalid(
                        format!("{path}.type"),
                        format!("there is no part `{other}`"),
                    ));
                }
            }
        }
        turns.push((role, text.join("\n\n"), files));
    }
    let last_answer = turns.iter().rposition(|(role, ..)| *role == "assistant");
    let question_turns = turns.split_off(last_answer.map_or(0, |at| at + 1));
    let (system, question_turns): (Vec<_>, Vec<_>) =
        question_turns.into_iter().partition(|(role, ..)| is_system(role));
    if question_turns.is_empty() {
        return Err(Error::invalid("messages", "must end with a message of the user"));
    }
    let files: Vec<Value> = question_turns.iter().flat_map(|(_, _, files)| files.clone()).collect();
    let question = question_turns.into_iter().map(|(_, text, _)| text).collect::<Vec<_>>().join("\n\n");
    if conversation_exists {
        return Ok((question, files));
    }
    let (before, past): (Vec<_>, Vec<_>) = turns.into_iter().partition(|(role, ..)| is_system(role));
    let mut query: Vec<String> = before.into_iter().chain(system).map(|(_, text, _)| text).collect();
    if past.is_empty() {
        query.push(question);
    } else {
        let name = |role: &str| if role == "assistant" { "Assistant" } else { "User" };
        query.extend(past.into_iter().map(|(role, text, _)| format!("{}: {text}", name(role))));
        query.push(format!("User: {question}"));
    }
    Ok((query.join("\n\n"), files))
}

fn is_system(role: &str) -> bool {
    matches!(role, "system" | "developer")
}
