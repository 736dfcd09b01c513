//! Parses requests as providers do, in either format.

use serde_json::{Value, json};

use crate::Format;

/// A request as a provider parses it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedRequest {
    pub system: String,
    pub turns: Vec<Turn>,
    /// Names and schemas.
    pub tools: Vec<(String, Value)>,
    /// As OpenAI's `tool_choice`.
    pub choice: Option<String>,
    pub one_call_at_a_time: bool,
    pub limit: Option<u64>,
    pub stop: Vec<String>,
    pub schema: Option<Value>,
    pub user: Option<String>,
    pub temperature: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    pub user: bool,
    pub text: String,
    pub images: Vec<String>,
    pub documents: Vec<String>,
    /// Id, name, arguments.
    pub calls: Vec<(String, String, Value)>,
    /// Id, text.
    pub results: Vec<(String, String)>,
}

/// Parses a request for a provider of the format; Dify's requests are checked elsewhere.
pub fn read(format: Format, request: &Value) -> ParsedRequest {
    match format {
        Format::Messages => read_messages(request),
        _ => read_chat(request),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn parts(content: &Value) -> Vec<Value> {
    match content {
        Value::String(text) => vec![json!({"type": "text", "text": text})],
        Value::Array(parts) => parts.clone(),
        _ => Vec::new(),
    }
}

fn texts(content: &Value) -> String {
    parts(content).iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n\n")
}

/// The turn that a message belongs to: consecutive messages of one side are one turn.
fn turn(turns: &mut Vec<Turn>, user: bool) -> &mut Turn {
    if turns.last().is_none_or(|last| last.user != user) {
        turns.push(Turn { user, ..Turn::default() });
    }
    turns.last_mut().expect("there is one")
}

fn read_chat(request: &Value) -> ParsedRequest {
    let mut parsed = ParsedRequest::default();
    for message in list(&request["messages"]) {
        let content = texts(&message["content"]);
        let role = message["role"].as_str().expect("a role");
        if role == "system" || role == "developer" {
            parsed.system += &content;
            continue;
        }
        let turn = turn(&mut parsed.turns, role != "assistant");
        if role == "tool" {
            assert!(turn.text.is_empty(), "results come before anything else");
            turn.results.push((text(&message["tool_call_id"]), content));
            continue;
        }
        turn.text += &content;
        let images = parts(&message["content"]);
        turn.images
            .extend(images.iter().filter_map(|part| part["image_url"]["url"].as_str().map(str::to_owned)));
        turn.documents
            .extend(images.iter().filter_map(|part| part["file"]["file_data"].as_str().map(str::to_owned)));
        for call in list(&message["tool_calls"]) {
            let arguments = call["function"]["arguments"].as_str().expect("text");
            let arguments = serde_json::from_str(arguments).expect("JSON");
            turn.calls.push((text(&call["id"]), text(&call["function"]["name"]), arguments));
        }
    }
    let tool = |tool: &Value| (text(&tool["function"]["name"]), tool["function"]["parameters"].clone());
    parsed.tools = list(&request["tools"]).map(tool).collect();
    parsed.choice = match &request["tool_choice"] {
        Value::Object(choice) => Some(text(&choice["function"]["name"])),
        choice => choice.as_str().map(str::to_owned),
    };
    parsed.one_call_at_a_time = request["parallel_tool_calls"] == false;
    parsed.limit = request["max_tokens"].as_u64().or_else(|| request["max_completion_tokens"].as_u64());
    parsed.stop = list(&request["stop"]).map(text).collect();
    parsed.schema = request["response_format"]["json_schema"].get("schema").cloned();
    parsed.user = request["user"].as_str().map(str::to_owned);
    parsed.temperature = request["temperature"].as_f64();
    parsed
}

fn read_messages(request: &Value) -> ParsedRequest {
    let mut parsed = ParsedRequest { system: texts(&request["system"]), ..ParsedRequest::default() };
    for message in list(&request["messages"]) {
        let user = message["role"] == "user";
        assert!(user || message["role"] == "assistant");
        assert!(parsed.turns.last().is_none_or(|last| last.user != user), "turns alternate");
        let turn = turn(&mut parsed.turns, user);
        let mut content = Vec::new();
        for part in parts(&message["content"]) {
            match part["type"].as_str().expect("a type") {
                "text" => content.push(text(&part["text"])),
                "document" => {
                    let source = &part["source"];
                    let (kind, data) = (text(&source["media_type"]), text(&source["data"]));
                    turn.documents.push(format!("data:{kind};base64,{data}"));
                }
                "image" if part["source"]["type"] == "base64" => {
                    let source = &part["source"];
                    turn.images.push(format!(
                        "data:{};base64,{}",
                        text(&source["media_type"]),
                        text(&source["data"])
                    ));
                }
                "image" => turn.images.push(text(&part["source"]["url"])),
                "tool_use" => {
                    turn.calls.push((text(&part["id"]), text(&part["name"]), part["input"].clone()))
                }
                "tool_result" => {
                    assert!(content.is_empty(), "results come before anything else");
                    let error = if part["is_error"] == true { "Error: " } else { "" };
                    let result = format!("{error}{}", texts(&part["content"]));
                    turn.results.push((text(&part["tool_use_id"]), result));
                    turn.images.extend(list(&part["content"]).filter_map(|part| {
                        let source = part.get("source")?;
                        Some(format!("data:{};base64,{}", text(&source["media_type"]), text(&source["data"])))
                    }));
                }
                other => panic!("a part of type {other}"),
            }
        }
        turn.text += &content.join("\n\n");
    }
    parsed.tools =
        list(&request["tools"]).map(|tool| (text(&tool["name"]), tool["input_schema"].clone())).collect();
    let choice = &request["tool_choice"];
    parsed.choice = choice["type"].as_str().map(|kind| match kind {
        "any" => "required".to_owned(),
        "tool" => text(&choice["name"]),
        other => other.to_owned(),
    });
    parsed.one_call_at_a_time = choice["disable_parallel_tool_use"] == true;
    parsed.limit = request["max_tokens"].as_u64();
    parsed.stop = list(&request["stop_sequences"]).map(text).collect();
    parsed.schema = request["output_config"]["format"].get("schema").cloned();
    parsed.user = request["metadata"]["user_id"].as_str().map(str::to_owned);
    parsed.temperature = request["temperature"].as_f64();
    parsed
}
