//! Counts the tokens of a request before it is sent.

use serde_json::Value;

use crate::text::collect;
use crate::tokens::count_tokens;

/// Tokens that an image counts as. OpenAI charges 85 tokens for an image in low detail, and 765 for one of 1024 ×
/// 1024 pixels (four tiles of 170, and 85); Anthropic charges width × height / 750, at most 1600, which most images
/// come close to.
const LOW_DETAIL: u64 = 85;
const OPENAI_IMAGE: u64 = 765;
const ANTHROPIC_IMAGE: u64 = 1600;
/// Tokens that a document counts as. Anthropic documents 1500 to 3000 per page; a document is assumed to be one page.
const DOCUMENT: u64 = 3000;
/// Tokens that OpenAI's models add for each message and for the start of the response ("How to count tokens with
/// tiktoken", in OpenAI's cookbook). Anthropic doesn't document this.
const MESSAGE: u64 = 3;

/// Counts the prompt tokens of a request: chat completions, responses, messages, and Anthropic's
/// `/v1/messages/count_tokens`. An approximation: within a few tokens for text with OpenAI's models, a few percent
/// off for other models, which have other tokenizers; images count as a fixed number. The first use loads the
/// vocabulary, so call it where blocking is allowed. Zero if the body is not JSON.
pub fn count_prompt(body: &[u8]) -> u64 {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return 0 };
    let mut text = String::new();
    let mut image_tokens = 0;
    let messages = body["messages"].as_array().or_else(|| body["input"].as_array());
    for message in messages.into_iter().flatten() {
        image_tokens += count_images(&message["content"]);
        // roles and ids are covered by the fixed count per message
        for field in ["content", "tool_calls", "name", "arguments", "output"] {
            collect_content(&message[field], &mut text);
        }
    }
    for field in ["system", "instructions", "prompt"] {
        collect_content(&body[field], &mut text);
    }
    if body["input"].is_string() {
        collect_content(&body["input"], &mut text);
    }
    // tool schemas reach the model in some form, and the names in them are most of their tokens
    for tool in body["tools"].as_array().into_iter().flatten() {
        text.push_str(&tool.to_string());
        text.push('\n');
    }
    let turns = messages.map_or(1, Vec::len) as u64 + 1;
    count_tokens(&text) + image_tokens + turns * MESSAGE
}

/// Collects the text of a content, without the type names of its parts.
fn collect_content(content: &Value, text: &mut String) {
    match content {
        Value::Array(parts) => parts.iter().for_each(|part| collect_content(part, text)),
        Value::Object(part) => {
            for field in
                ["text", "refusal", "thinking", "content", "name", "function", "arguments", "input", "output"]
            {
                if let Some(value) = part.get(field) {
                    let nested = matches!(field, "content" | "function");
                    if nested { collect_content(value, text) } else { collect_value(value, text) }
                }
            }
        }
        other => collect(other, text),
    }
}

/// Collects a string as it is, and any other value as JSON.
fn collect_value(value: &Value, text: &mut String) {
    match value {
        Value::String(part) => text.push_str(part),
        Value::Null => return,
        other => text.push_str(&other.to_string()),
    }
    text.push('\n');
}

/// Tokens that the images and documents in a content count as.
fn count_images(content: &Value) -> u64 {
    let part = |part: &Value| match part["type"].as_str() {
        Some("image_url" | "input_image") => {
            let low = part["image_url"]["detail"] == "low" || part["detail"] == "low";
            if low { LOW_DETAIL } else { OPENAI_IMAGE }
        }
        Some("image") => ANTHROPIC_IMAGE,
        Some("document" | "file" | "input_file") => DOCUMENT,
        Some("tool_result") => count_images(&part["content"]),
        _ => 0,
    };
    content.as_array().into_iter().flatten().map(part).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn count(body: &Value) -> u64 {
        count_prompt(body.to_string().as_bytes())
    }

    #[test]
    fn the_same_prompt_counts_the_same_in_every_format() {
        let system = "Answer in one word.";
        let chat = json!({"messages": [{"role": "system", "content": system}, {"role": "user", "content": "hello world"}]});
        let messages = json!({"system": system, "messages": [{"role": "user", "content": [{"type": "text", "text": "hello world"}]}]});
        let responses = json!({"instructions": system, "input": "hello world"});
        // five tokens and a newline, two and a newline, three for each message and for the response
        let text = count_tokens(&format!("{system}\nhello world\n"));
        assert_eq!(count(&chat), text + 9);
        assert_eq!(count(&messages), text + 6);
        assert_eq!(count(&responses), text + 6);
        assert_eq!(count_prompt(b"no json"), 0);
    }

    #[test]
    fn images_count_by_a_fixed_number_and_not_by_their_bytes() {
        let data = "A".repeat(100_000);
        let anthropic = json!({"messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}]}]});
        assert_eq!(count(&anthropic), ANTHROPIC_IMAGE + 6);
        let url = format!("data:image/png;base64,{data}");
        let openai = |detail: &str| {
            json!({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": url, "detail": detail}}]}]})
        };
        assert_eq!((count(&openai("low")), count(&openai("auto"))), (LOW_DETAIL + 6, OPENAI_IMAGE + 6));
        let nested = json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
            "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}]}]}]});
        assert_eq!(count(&nested), ANTHROPIC_IMAGE + 6);
    }

    #[test]
    fn tools_and_calls_count() {
        let plain = json!({"messages": [{"role": "user", "content": "hi"}]});
        let mut tools = plain.clone();
        tools["tools"] = json!([{"name": "weather", "input_schema": {"type": "object"}}]);
        assert!(count(&tools) > count(&plain) + 5);
        let mut called = plain.clone();
        called["messages"].as_array_mut().expect("a list").push(json!({"role": "assistant", "content": null,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}]}));
        assert!(count(&called) > count(&plain) + 5);
    }
}
