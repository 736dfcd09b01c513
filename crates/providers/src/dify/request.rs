//! A chat completion as a message to an application.
//!
//! Dify takes one question at a time. In a conversation that it knows, that is what the user said last; in a new one what
//! came before is put in front of it: the system prompt, and the turns as a transcript.

use bytes::Bytes;
use loam_kernel::{Error, Result};
use serde_json::{Map, Value, json};

use super::KIND;
use crate::anthropic::{Ways, to_chat};
use crate::body::{Body, parts, required};
use crate::wire::Endpoint;
use crate::{Ask, Config, Feature};

/// Who asks, when a client doesn't say: Dify requires a user.
const SOMEBODY: &str = "loam";

/// A client of Anthropic's format is understood by way of a chat completion.
static WAYS: Ways = Ways { kind: KIND, max_tokens: "max_tokens", keeps_thoughts: false, think: |_, _, _| {} };

/// The request for Dify.
pub(super) fn request(config: &Config, ask: &Ask<'_>) -> Result<Bytes> {
    let mut body = match ask.endpoint {
        Endpoint::Messages => Body::read(&to_chat(&WAYS, ask)?.to_string().into())?,
        _ => Body::read(ask.body)?,
    };
    refuse(&mut body, ask.endpoint)?;
    let (mut own, metadata) = own(&mut body, ask)?;
    let conversation = own.remove("conversation_id").or_else(|| metadata.get("conversation_id").cloned());
    let conversation = match conversation {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if id.is_empty() => None,
        Some(Value::String(id)) => Some(id),
        Some(_) => return Err(Error::invalid("dify.conversation_id", "must be a string")),
    };
    let inputs = own.remove("inputs").unwrap_or_else(|| json!({}));
    if !inputs.is_object() {
        return Err(Error::invalid("dify.inputs", "must be an object"));
    }
    let users = [
        own.remove("user"),
        body.take("user"),
        body.take("safety_identifier"),
        metadata.get("user_id").cloned(),
    ];
    let user = users.into_iter().flatten().find(|user| user.as_str().is_some_and(|user| !user.is_empty()));

    let (query, files) = question(&body.list("messages")?, conversation.is_some())?;
    let streams = ask.head.stream || config.agent;
    let mut request = json!({
        "query": query, "inputs": inputs, "response_mode": if streams { "streaming" } else { "blocking" },
        "user": user.unwrap_or_else(|| SOMEBODY.into()),
    });
    if let Some(id) = conversation {
        request["conversation_id"] = id.into();
    }
    if !files.is_empty() {
        request["files"] = files.into();
    }
    // `auto_generate_name`, `trace_id`, and what else Dify has or will have
    for (name, value) in own {
        if request.get(&name).is_none() {
            request[name] = value;
        }
    }
    Ok(request.to_string().into())
}

/// The fields for Dify itself, and the metadata, which a client of Anthropic's format has in its own request only.
fn own(body: &mut Body, ask: &Ask<'_>) -> Result<(Map<String, Value>, Map<String, Value>)> {
    let metadata = match ask.endpoint {
        Endpoint::Messages => Body::read(ask.body)?.take("metadata"),
        _ => body.take("metadata"),
    };
    let object = |name: &str, value: Option<Value>| match value {
        None => Ok(Map::new()),
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) => Err(Error::invalid(name, "must be an object")),
    };
    Ok((object("dify", body.take("dify"))?, object("metadata", metadata)?))
}

/// What an application can't be asked for.
fn refuse(body: &mut Body, endpoint: Endpoint) -> Result<()> {
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
    for (field, of_messages, feature, harmless) in table {
        if body.take(field).is_some_and(|value| !harmless.contains(&value)) {
            let param = if endpoint == Endpoint::Messages { of_messages } else { field };
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

/// The question, and the images that come with it.
fn question(messages: &[Value], known: bool) -> Result<(String, Vec<Value>)> {
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
                    // an image in the request would first have to be uploaded
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
    let asked = turns.split_off(last_answer.map_or(0, |at| at + 1));
    let (system, asked): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(role, ..)| is_system(role));
    if asked.is_empty() {
        return Err(Error::invalid("messages", "must end with a message of the user"));
    }
    let files: Vec<Value> = asked.iter().flat_map(|(_, _, files)| files.clone()).collect();
    let question = asked.into_iter().map(|(_, text, _)| text).collect::<Vec<_>>().join("\n\n");
    if known {
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
