//! Rejects features that a kind would silently ignore, without parsing requests that can't use them.

use loam_kernel::Result;
use memchr::memmem;
use serde_json::Value;

use crate::{Endpoint, Feature};

/// A byte sequence that every request with the feature contains.
fn marker(feature: Feature) -> Option<&'static str> {
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

/// Whether a chat completion uses the feature.
fn is_requested(feature: Feature, chat: &Value) -> bool {
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

/// The field by which a client uses the feature.
fn param(feature: Feature, endpoint: Endpoint) -> &'static str {
    match (feature, endpoint) {
        (Feature::ToolChoice, _) => "tool_choice",
        (Feature::JsonSchema, Endpoint::Responses) => "text.format",
        (Feature::JsonSchema, Endpoint::Messages) => "output_config.format",
        (Feature::JsonSchema, _) => "response_format",
        (Feature::Choices, _) => "n",
        (Feature::Logprobs, _) => "logit_bias",
        (_, Endpoint::Responses) => "input",
        _ => "messages",
    }
}

/// Rejects a chat completion that uses an unsupported feature.
pub(super) fn reject_unsupported(
    kind: &str,
    unsupported: &[Feature],
    endpoint: Endpoint,
    chat: &[u8],
) -> Result<()> {
    let may_request = |feature: &Feature| {
        marker(*feature).is_some_and(|marker| memmem::find(chat, marker.as_bytes()).is_some())
    };
    if !unsupported.iter().any(may_request) {
        return Ok(());
    }
    let chat: Value = serde_json::from_slice(chat).unwrap_or_default();
    match unsupported.iter().find(|feature| is_requested(**feature, &chat)) {
        Some(feature) => Err(feature.unsupported(kind, param(*feature, endpoint))),
        None => Ok(()),
    }
}
