//! Extracts the text of requests and responses in any of the formats, to estimate usage that a provider didn't
//! report.

use serde_json::Value;

use crate::openai::content_parts;

/// The fields of a request that are part of the prompt.
const PROMPT_FIELDS: [&str; 9] =
    ["system", "instructions", "messages", "input", "prompt", "tools", "functions", "query", "documents"];

/// All prompt text of a request, for an estimate.
pub fn prompt_text(body: &[u8]) -> String {
    let mut text = String::new();
    if let Ok(body) = serde_json::from_slice::<Value>(body) {
        for field in PROMPT_FIELDS {
            collect(&body[field], &mut text);
        }
    }
    text
}

/// Collects the text of a value, without the base64 data of images and documents.
pub(crate) fn collect(value: &Value, text: &mut String) {
    match value {
        Value::String(part) if part.starts_with("data:") => {}
        Value::String(part) => {
            text.push_str(part);
            text.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, text)),
        Value::Object(fields) if fields.get("type").is_some_and(|kind| kind == "base64") => {}
        Value::Object(fields) => {
            let relevant =
                fields.iter().filter(|(name, _)| !matches!(name.as_str(), "cache_control" | "signature"));
            relevant.for_each(|(_, field)| collect(field, text));
        }
        _ => {}
    }
}

/// All text that the model wrote, for an estimate: of a response, or of one assembled from a stream.
pub fn completion_text(response: &Value) -> String {
    let mut text = String::new();
    let mut add = |value: &Value| text.push_str(value.as_str().unwrap_or_default());
    for choice in response["choices"].as_array().into_iter().flatten() {
        // a text completion
        add(&choice["text"]);
        let message = &choice["message"];
        let content = content_parts(message);
        add(&content.text.into());
        add(&content.reasoning.into());
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            add(&call["function"]["name"]);
            add(&call["function"]["arguments"]);
        }
    }
    // a transcript
    add(&response["text"]);
    // Anthropic's message
    for block in response["content"].as_array().into_iter().flatten() {
        ["text", "thinking", "name"].iter().for_each(|field| add(&block[*field]));
        if block["type"] == "tool_use" {
            add(&Value::String(block["input"].to_string()));
        }
    }
    // OpenAI's response
    for item in response["output"].as_array().into_iter().flatten() {
        ["name", "arguments"].iter().for_each(|field| add(&item[*field]));
        let parts = [&item["content"], &item["summary"]].into_iter().filter_map(Value::as_array).flatten();
        parts.for_each(|part| ["text", "refusal"].iter().for_each(|field| add(&part[*field])));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prompt_text_is_extracted_in_every_format_without_images() {
        let chat = json!({"model": "m", "messages": [{"role": "user", "content": [
            {"type": "text", "text": "what is"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]});
        let messages = json!({"model": "m", "system": "be brief", "messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "text", "text": "what is", "cache_control": {"type": "ephemeral"}}]}]});
        let responses = json!({"model": "m", "instructions": "be brief", "input": "what is"});
        for (body, brief) in [(chat, false), (messages, true), (responses, true)] {
            let text = prompt_text(body.to_string().as_bytes());
            assert!(
                text.contains("what is") && !text.contains("AAAA") && !text.contains("ephemeral"),
                "{text}"
            );
            assert_eq!(text.contains("be brief"), brief);
        }
    }

    #[test]
    fn completion_text_is_extracted_in_every_format() {
        let chat = json!({"choices": [{"message": {"content": "a", "reasoning_content": "b",
            "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}]});
        assert_eq!(completion_text(&chat), "abf{}");
        let message = json!({"content": [{"type": "thinking", "thinking": "b"}, {"type": "text", "text": "a"},
            {"type": "tool_use", "name": "f", "input": {"x": 1}}]});
        assert_eq!(completion_text(&message), "baf{\"x\":1}");
        let response = json!({"output": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "b"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
            {"type": "function_call", "name": "f", "arguments": "{}"}]});
        assert_eq!(completion_text(&response), "baf{}");
    }
}
