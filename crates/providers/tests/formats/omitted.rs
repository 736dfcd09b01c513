//! What is left out of a translated request, so that a long conversation goes on with another provider.

use loam_providers::Endpoint;
use serde_json::{Value, json};

use super::{config, message, sent_to};

const PDF: &str = "data:application/pdf;base64,JVBERi0=";

/// What a provider receives as the user's content, and the notes.
fn content(name: &str, block: &Value) -> (Value, Vec<String>) {
    let body = message(json!({"messages": [{"role": "user", "content": [block]}]}));
    let sent = sent_to("m", name, &config(json!({})), Endpoint::Messages, &body);
    let (sent, omitted) = sent.unwrap_or_else(|e| panic!("{name}: {e}"));
    (sent["messages"][0]["content"].clone(), omitted)
}

fn document(source: Value) -> Value {
    json!({"type": "document", "title": "plan.pdf", "source": source})
}

#[test]
fn a_pdf_is_a_file_where_the_kind_takes_it() {
    let pdf = document(json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}));
    let file = json!([{"type": "file", "file": {"filename": "plan.pdf", "file_data": PDF}}]);
    assert_eq!(content("openai", &pdf), (file, vec![]));
    for name in ["qwen", "deepseek", "ollama"] {
        let (text, omitted) = content(name, &pdf);
        assert!(text.as_str().is_some_and(|text| text.contains("a document was left out")), "{text}");
        assert_eq!(omitted, [format!("a document: providers of kind `{name}` don't support documents")]);
    }
}

#[test]
fn a_document_of_text_is_its_text() {
    for source in [
        json!({"type": "text", "media_type": "text/plain", "data": "Buy pears."}),
        json!({"type": "content", "content": "Buy pears."}),
        json!({"type": "content", "content": [{"type": "text", "text": "Buy pears."}]}),
    ] {
        assert_eq!(content("deepseek", &document(source)), (json!("plan.pdf\n\nBuy pears."), vec![]));
    }
    let found = json!({"type": "search_result", "title": "Plan", "source": "https://example.org",
        "content": [{"type": "text", "text": "Buy pears."}]});
    assert_eq!(content("openai", &found), (json!("Plan\nhttps://example.org\nBuy pears."), vec![]));
}

#[test]
fn content_that_only_anthropic_has_is_left_out_and_noted() {
    for block in [
        document(json!({"type": "url", "url": "https://example.org/a.pdf"})),
        document(json!({"type": "file", "file_id": "file_1"})),
        json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        json!({"type": "container_upload", "file_id": "file_1"}),
    ] {
        for name in ["openai", "deepseek"] {
            let (text, omitted) = content(name, &block);
            assert!(text.as_str().is_some_and(|text| text.contains("was left out")), "{text}");
            assert_eq!(omitted.len(), 1, "{block}");
        }
    }
}

#[test]
fn an_image_in_a_tools_result_ends_no_conversation() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}});
    let body = message(json!({"tools": [{"name": "f"}], "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [image]}]}]}));
    let (sent, omitted) =
        sent_to("m", "deepseek", &config(json!({})), Endpoint::Messages, &body).expect("a request");
    assert_eq!(sent["messages"][2], json!({"role": "tool", "tool_call_id": "t", "content": ""}));
    let text = sent["messages"][3]["content"].as_str().expect("a text");
    assert!(text.contains("an image was left out"), "{text}");
    assert_eq!(omitted, ["an image: providers of kind `deepseek` don't support images"]);
    let body = json!({"model": "p/m", "input": [{"role": "user", "content": [
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}]});
    let (sent, from_response) =
        sent_to("m", "deepseek", &config(json!({})), Endpoint::Responses, &body).expect("a request");
    assert!(!sent.to_string().contains("AAAA"), "{sent}");
    assert_eq!(from_response, omitted);
}

#[test]
fn tools_and_results_of_anthropics_own_are_left_out_beside_others() {
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    let body = |tools: Value, choice: Value| {
        message(json!({"tools": tools, "tool_choice": choice, "messages": [{"role": "user", "content": "x"},
            {"role": "assistant", "content": [
                {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
                {"type": "text", "text": "Found."}]},
            {"role": "user", "content": "y"}]}))
    };
    let send = |body: &Value| sent_to("m", "openai", &config(json!({})), Endpoint::Messages, body);
    let (sent, omitted) = send(&body(json!([search, {"name": "f"}]), Value::Null)).expect("a request");
    assert_eq!(sent["tools"].as_array().map(Vec::len), Some(1));
    assert_eq!(sent["messages"][1], json!({"role": "assistant", "content": "Found."}));
    assert_eq!(omitted.len(), 3, "{omitted:?}");
    // it would answer without what was asked for
    let forced = json!({"type": "tool", "name": "web_search"});
    for refused in [body(json!([search]), Value::Null), body(json!([search, {"name": "f"}]), forced)] {
        assert_eq!(send(&refused).expect_err("refused").param(), Some("tools.0.type"));
    }
}

#[test]
fn bodies_of_beta_features_reach_only_anthropics_kind() {
    let fields = json!({"context_management": {"edits": []}, "speed": "fast", "inference_geo": "eu"});
    let body = message(fields.clone());
    let config = config(json!({}));
    let (sent, _) = sent_to("m", "anthropic", &config, Endpoint::Messages, &body).expect("a request");
    let (from_chat, _) =
        sent_to("m", "anthropic", &config, Endpoint::ChatCompletions, &body).expect("a request");
    let (elsewhere, _) = sent_to("m", "openai", &config, Endpoint::Messages, &body).expect("a request");
    for (name, value) in fields.as_object().expect("fields") {
        assert_eq!((&sent[name], &from_chat[name], &elsewhere[name]), (value, value, &Value::Null));
    }
    let schema = json!({"type": "object", "properties": {}});
    let body = message(json!({"output_format": {"type": "json_schema", "schema": schema}}));
    let (sent, _) = sent_to("m", "openai", &config, Endpoint::Messages, &body).expect("a request");
    assert_eq!(sent["response_format"]["json_schema"]["schema"], schema);
}

#[test]
fn system_messages_within_a_conversation_may_change_the_tools() {
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object"}});
    let defined =
        json!({"type": "tool_addition", "tool": {"type": "tool_definition", "definition": tool("g")}});
    let named = json!({"type": "tool_addition", "tool": {"type": "tool_reference", "name": "f"}});
    let removed = json!({"type": "tool_removal", "tool": {"type": "tool_reference", "name": "f"}});
    let body = message(json!({"tools": [tool("f")], "messages": [{"role": "user", "content": "x"},
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}, named, defined, removed]},
        {"role": "system", "content": [named]}]}));
    let (sent, omitted) =
        sent_to("m", "openai", &config(json!({})), Endpoint::Messages, &body).expect("a request");
    assert_eq!(sent["messages"].as_array().map(Vec::len), Some(2));
    assert_eq!(sent["messages"][1], json!({"role": "system", "content": "Be brief."}));
    let tools = sent["tools"].as_array().expect("tools");
    let names: Vec<_> = tools.iter().map(|tool| tool["function"]["name"].clone()).collect();
    assert_eq!((names, omitted.len()), (vec![json!("f"), json!("g")], 1));
}
