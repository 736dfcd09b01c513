//! Refusing what a kind would silently ignore, without reading requests that don't ask for it.

use loam_kernel::Result;
use memchr::memmem;
use serde_json::Value;

use crate::Feature;
use crate::wire::Endpoint;

/// The name whose presence makes a closer look worth it.
fn sign(feature: Feature) -> Option<&'static str> {
    match feature {
        Feature::Images => Some("\"image_url\""),
        Feature::Documents => Some("\"file\""),
        Feature::ToolChoice => Some("\"tool_choice\""),
        Feature::JsonSchema => Some("\"json_schema\""),
        Feature::Choices => Some("\"n\""),
        Feature::Logprobs => Some("\"logit_bias\""),
        _ => None,
    }
}

/// Whether a chat completion asks for it.
fn asks(feature: Feature, chat: &Value) -> bool {
    let part = |kind: &str| {
        let messages = chat["messages"].as_array().into_iter().flatten();
        messages
            .filter_map(|message| message["content"].as_array())
            .flatten()
            .any(|part| part["type"] == kind)
    };
    match feature {
        Feature::Images => part("image_url"),
        Feature::Documents => part("file"),
        Feature::ToolChoice => !chat["tool_choice"].is_null() && chat["tool_choice"] != "auto",
        Feature::JsonSchema => chat["response_format"]["type"] == "json_schema",
        Feature::Choices => chat["n"].as_u64().is_some_and(|n| n > 1),
        Feature::Logprobs => chat["logit_bias"].as_object().is_some_and(|bias| !bias.is_empty()),
        _ => false,
    }
}

/// The field that a client set to ask for it.
fn param(feature: Feature, endpoint: Endpoint) -> &'static str {
    match (feature, endpoint) {
        (Feature::ToolChoice, _) => "tool_choice",
        (Feature::JsonSchema, Endpoint::Messages) => "output_config.format",
        (Feature::JsonSchema, _) => "response_format",
        (Feature::Choices, _) => "n",
        (Feature::Logprobs, _) => "logit_bias",
        _ => "messages",
    }
}

/// Refuses a chat completion that asks for what the kind can't do.
pub(super) fn refuse(kind: &str, cannot: &[Feature], endpoint: Endpoint, chat: &[u8]) -> Result<()> {
    let signs =
        |feature: &Feature| sign(*feature).is_some_and(|sign| memmem::find(chat, sign.as_bytes()).is_some());
    if !cannot.iter().any(signs) {
        return Ok(());
    }
    let chat: Value = serde_json::from_slice(chat).unwrap_or_default();
    match cannot.iter().find(|feature| asks(**feature, &chat)) {
        Some(feature) => Err(feature.unsupported(kind, param(*feature, endpoint))),
        None => Ok(()),
    }
}
