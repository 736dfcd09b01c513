//! Translates a request for a text completion to a chat completion.
//!
//! What a chat can't represent is refused; what only describes the request passes on.

use loam_kernel::{Error, Result};
use serde_json::{Map, Value, json};

use crate::body::Body;
use crate::{Feature, ProviderRequest};

/// The default of OpenAI's API, which clients of this format expect.
const MAX_TOKENS: u64 = 16;

/// Encodes the chat completion for a kind.
pub(crate) fn completions_to_chat(
    kind: &str,
    provider_request: &ProviderRequest<'_>,
) -> Result<Map<String, Value>> {
    let mut body = Body::read(provider_request.body)?;
    let prompt = prompt(kind, body.take("prompt"))?;
    for (field, feature, allowed) in [
        ("suffix", Feature::Suffix, json!("")),
        ("logprobs", Feature::Logprobs, json!(false)),
        ("best_of", Feature::Choices, json!(1)),
    ] {
        if body.take(field).is_some_and(|value| value != allowed) {
            return Err(feature.unsupported(kind, field));
        }
    }
    // the encoder writes it
    body.take("echo");
    body.take("stream_options");
    let mut chat = Map::new();
    chat.insert("model".to_owned(), provider_request.model.into());
    chat.insert("messages".to_owned(), json!([{"role": "user", "content": prompt}]));
    chat.insert("max_tokens".to_owned(), body.take("max_tokens").unwrap_or_else(|| MAX_TOKENS.into()));
    if body.take("stream") == Some(Value::Bool(true)) {
        chat.insert("stream".to_owned(), true.into());
        chat.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    for (name, value) in body.rest() {
        if !value.is_null() {
            chat.entry(name).or_insert(value);
        }
    }
    Ok(chat)
}

/// The only text of a prompt.
pub(super) fn prompt(kind: &str, prompt: Option<Value>) -> Result<String> {
    let invalid = |why| Err(Error::invalid("prompt", why));
    match prompt {
        None => invalid("is missing"),
        Some(Value::String(text)) => Ok(text),
        Some(Value::Array(mut prompts)) => match prompts.pop() {
            None => invalid("is empty"),
            Some(Value::String(text)) if prompts.is_empty() => Ok(text),
            Some(Value::String(_)) => Err(Feature::Prompts.unsupported(kind, "prompt")),
            Some(_) => Err(Feature::TokenPrompts.unsupported(kind, "prompt")),
        },
        Some(_) => invalid("must be a text or a list of texts"),
    }
}

/// Names the field of the client's request in an error about the chat completion.
pub(crate) fn name_prompt(error: Error) -> Error {
    match error.param() {
        Some(param) if param.starts_with("messages") => error.with_param("prompt"),
        _ => error,
    }
}
