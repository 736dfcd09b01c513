//! Counting the tokens of a request before it is sent.

use serde_json::Value;

use crate::text::collect;
use crate::tokens::count_tokens;

/// What an image counts as. OpenAI takes 85 tokens for one in low detail, and 765 for one of 1024 × 1024 pixels (four
/// tiles of 170, and 85); Anthropic width × height / 750, 1600 at most, which most images come near to.
const LOW_DETAIL: u64 = 85;
const OPENAI_IMAGE: u64 = 765;
const ANTHROPIC_IMAGE: u64 = 1600;
/// What a page of a document counts as is anyone's guess: Anthropic says 1500 to 3000. A document is taken for one page.
const DOCUMENT: u64 = 3000;
/// What OpenAI's models take for each message, and for the beginning of an answer ("How to count tokens with tiktoken",
/// in OpenAI's cookbook). Anthropic doesn't say.
const MESSAGE: u64 = 3;

/// The tokens of a request's prompt: of the bodies of chat completions, of responses, of messages and of Anthropic's
/// `/v1/messages/count_tokens`. An approximation: exact to some tokens for text with OpenAI's models, some percent off
/// for those of others, which have other tokenizers; images count as a fixed number. The first use loads the
/// vocabulary, so call it where blocking is allowed. Zero for what is no JSON.
pub fn count_prompt(body: &[u8]) -> u64 {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return 0 };
    let mut text = String::new();
    let mut pictures = 0;
    let messages = body["messages"].as_array().or_else(|| body["input"].as_array());
    for message in messages.into_iter().flatten() {
        pictures += images(&message["content"]);
        // roles and ids are part of what a message takes anyway
        for field in ["content", "tool_calls", "name", "arguments", "output"] {
            read(&message[field], &mut text);
        }
    }
    for field in ["system", "instructions", "prompt"] {
        read(&body[field], &mut text);
    }
    if body["input"].is_string() {
        read(&body["input"], &mut text);
    }
    // schemas are shown to a model in one form or another, and the names in them are most of it
    for tool in body["tools"].as_array().into_iter().flatten() {
        text.push_str(&tool.to_string());
        text.push('\n');
    }
    let turns = messages.map_or(1, Vec::len) as u64 + 1;
    count_tokens(&text) + pictures + turns * MESSAGE
}

/// The text of a content, without the names of the types of its parts.
fn read(content: &Value, text: &mut String) {
    match content {
        Value::Array(parts) => parts.iter().for_each(|part| read(part, text)),
        Value::Object(part) => {
            for field in
                ["text", "refusal", "thinking", "content", "name", "function", "arguments", "input", "output"]
            {
                if let Some(value) = part.get(field) {
                    let nested = matches!(field, "content" | "function");
                    if nested { read(value, text) } else { whole(value, text) }
                }
            }
        }
        other => collect(other, text),
    }
}

/// A text as it is, and anything else in JSON.
fn whole(value: &Value, text: &mut String) {
    match value {
        Value::String(part) => text.push_str(part),
        Value::Null => return,
        other => text.push_str(&other.to_string()),
    }
    text.push('\n');
}

/// What the images and documents in a content count as.
fn images(content: &Value) -> u64 {
    let part = |part: &Value| match part["type"].as_str() {
        Some("image_url" | "input_image") => {
            let low = part["image_url"]["detail"] == "low" || part["detail"] == "low";
            if low { LOW_DETAIL } else { OPENAI_IMAGE }
        }
        Some("image") => ANTHROPIC_IMAGE,
        Some("document" | "file" | "input_file") => DOCUMENT,
        Some("tool_result") => images(&part["content"]),
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
        // five tokens and a line, two and a line, three for each message and for the answer
        let text = count_tokens(&format!("{system}\nhello world\n"));
        assert_eq!(count(&chat), text + 9);
        assert_eq!(count(&messages), text + 6);
        assert_eq!(count(&responses), text + 6);
        assert_eq!(count_prompt(b"no json"), 0);
    }

    #[test]
    fn images_count_by_a_rule_and_not_by_their_bytes() {
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
