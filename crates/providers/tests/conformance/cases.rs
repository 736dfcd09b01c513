//! The test cases.

use loam_providers::{Endpoint, Feature};
use serde_json::{Value, json};

use crate::provider::Reply;
use crate::request::{ParsedRequest, Turn};
use crate::responses::as_request;

/// A test case.
pub struct Case {
    pub name: &'static str,
    /// The features it needs: a kind that declares one of these as unsupported must reject it.
    pub needs: &'static [Feature],
    /// The client's request in each format, where it can be expressed. One for a response is derived from the chat
    /// completion if there is none here.
    pub chat: Option<Value>,
    pub messages: Option<Value>,
    pub responses: Option<Value>,
    /// The request that a provider must receive.
    pub expected_request: ParsedRequest,
    /// The query that a Dify application must receive, if it supports the case.
    pub query: &'static str,
    /// The model's reply.
    pub reply: Reply,
}

impl Case {
    /// The client's request, streamed or not.
    pub fn request(&self, endpoint: Endpoint, stream: bool) -> Option<Value> {
        let mut body = match endpoint {
            Endpoint::Messages => self.messages.clone()?,
            Endpoint::Responses => {
                self.responses.clone().or_else(|| self.chat.as_ref().and_then(as_request))?
            }
            _ => self.chat.clone()?,
        };
        body["model"] = "p/m-1".into();
        if stream {
            body["stream"] = true.into();
        }
        Some(body)
    }
}

fn user(text: &str) -> Turn {
    Turn { user: true, text: text.to_owned(), ..Turn::default() }
}

fn assistant(text: &str) -> Turn {
    Turn { text: text.to_owned(), ..Turn::default() }
}

fn hello() -> Reply {
    Reply { text: "Grüße, 世界! 🌱", stop: "stop", ..Reply::default() }
}

/// A case with a text request and a text reply.
fn plain(name: &'static str) -> Case {
    Case {
        name,
        needs: &[],
        chat: Some(json!({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100})),
        messages: Some(json!({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 100})),
        responses: None,
        expected_request: ParsedRequest {
            turns: vec![user("Hello")],
            limit: Some(100),
            ..ParsedRequest::default()
        },
        query: "Hello",
        reply: hello(),
    }
}

/// A [`plain`] case with additional request fields, each in the two formats.
fn with(
    name: &'static str,
    needs: &'static [Feature],
    chat: Option<Value>,
    messages: Option<Value>,
    expected_request: impl FnOnce(&mut ParsedRequest),
) -> Case {
    let mut case = plain(name);
    let add = |body: &mut Option<Value>, fields: Option<Value>| match fields {
        Some(fields) => {
            for (name, value) in fields.as_object().expect("fields") {
                body.as_mut().expect("there is one")[name] = value.clone();
            }
        }
        None => *body = None,
    };
    add(&mut case.chat, chat);
    add(&mut case.messages, messages);
    case.needs = needs;
    expected_request(&mut case.expected_request);
    case
}

const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUg==";

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false})
}

fn chat_tools() -> Value {
    json!([
        {"type": "function", "function": {"name": "weather", "description": "of a city", "parameters": schema()}},
        {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}},
    ])
}

fn response_tools() -> Value {
    as_request(&json!({"messages": [], "tools": chat_tools()})).expect("a request")["tools"].clone()
}

fn message_tools() -> Value {
    json!([
        {"name": "weather", "description": "of a city", "input_schema": schema(), "cache_control": {"type": "ephemeral"}},
        {"type": "custom", "name": "time", "input_schema": {"type": "object"}},
    ])
}

fn tools() -> Vec<(String, Value)> {
    vec![("weather".to_owned(), schema()), ("time".to_owned(), json!({"type": "object"}))]
}

fn calls() -> Reply {
    let calls = vec![("weather", json!({"city": "Tromsø \"N\""})), ("time", json!({"zone": 1}))];
    Reply { calls, stop: "tool_calls", ..Reply::default() }
}

/// All cases.
pub fn all() -> Vec<Case> {
    [talk(), pictures(), tools_cases(), forms(), limits()].into_iter().flatten().collect()
}

fn talk() -> Vec<Case> {
    let past = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "now?"}]}]);
    let mut chat_past = past.as_array().expect("a list").clone();
    chat_past.insert(0, json!({"role": "system", "content": "Be brief."}));
    let mut conversation = with(
        "a conversation with a system prompt",
        &[],
        Some(json!({"messages": chat_past, "user": "u-1", "temperature": 0.5})),
        Some(
            json!({"system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": past, "metadata": {"user_id": "u-1"}, "temperature": 0.5}),
        ),
        |expected_request| {
            expected_request.system = "Be brief.".to_owned();
            expected_request.turns = vec![user("Hi"), assistant("Hello."), user("And\n\nnow?")];
            expected_request.user = Some("u-1".to_owned());
            expected_request.temperature = Some(0.5);
        },
    );
    conversation.query = "Be brief.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: And\n\nnow?";
    let mut reasoning = plain("an answer with thoughts");
    reasoning.reply.reasoning = "What is a greeting?";
    let mut length = plain("an answer that is cut by its limit");
    length.reply.stop = "length";
    let mut filtered = plain("an answer that is withheld");
    filtered.reply.stop = "content_filter";
    vec![plain("a text"), conversation, reasoning, length, filtered]
}

fn pictures() -> Vec<Case> {
    let turn = |url: &str| Turn { images: vec![url.to_owned()], ..user("What is this?") };
    let chat = |url: &str| {
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": url}}]}]})
    };
    let messages = |source: Value| {
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"},
            {"type": "image", "source": source}]}]})
    };
    let url = "https://example.org/a.png";
    let mut at_address = with(
        "an image at an address",
        &[Feature::Images],
        Some(chat(url)),
        Some(messages(json!({"type": "url", "url": url}))),
        |expected_request| expected_request.turns = vec![turn(url)],
    );
    at_address.query = "What is this?";
    let data = format!("data:image/png;base64,{PIXEL}");
    let within = with(
        "an image within the request",
        &[Feature::Images, Feature::ImageData],
        Some(chat(&data)),
        Some(messages(json!({"type": "base64", "media_type": "image/png", "data": PIXEL}))),
        |expected_request| expected_request.turns = vec![turn(&data)],
    );
    let pdf = json!({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="});
    let mut document = with(
        "a document",
        &[Feature::Documents],
        None,
        Some(json!({"messages": [{"role": "user", "content": [{"type": "document", "source": pdf}]}]})),
        |expected_request| {
            let pdf = "data:application/pdf;base64,JVBERi0=".to_owned();
            expected_request.turns = vec![Turn { documents: vec![pdf], ..user("") }];
        },
    );
    let pdf = json!({"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="});
    document.responses =
        Some(json!({"input": [{"role": "user", "content": [pdf]}], "max_output_tokens": 100}));
    vec![at_address, within, document]
}

fn tools_cases() -> Vec<Case> {
    let offer = |name, needs, chat: Value, messages: Value, change: fn(&mut ParsedRequest)| {
        let mut chat = chat;
        chat["tools"] = chat_tools();
        let mut messages = messages;
        messages["tools"] = message_tools();
        let mut case = with(name, needs, Some(chat), Some(messages), |expected_request| {
            expected_request.tools = tools();
            change(expected_request);
        });
        case.reply = calls();
        case
    };
    let offered = offer("tools that may be called", &[Feature::Tools], json!({}), json!({}), |_| {});
    let any = offer(
        "a tool that must be called",
        &[Feature::Tools, Feature::ToolChoice],
        json!({"tool_choice": "required"}),
        json!({"tool_choice": {"type": "any"}}),
        |expected_request| expected_request.choice = Some("required".to_owned()),
    );
    let one = offer(
        "one tool that must be called, once",
        &[Feature::Tools, Feature::ToolChoice],
        json!({"tool_choice": {"type": "function", "function": {"name": "time"}}, "parallel_tool_calls": false}),
        json!({"tool_choice": {"type": "tool", "name": "time", "disable_parallel_tool_use": true}}),
        |expected_request| {
            expected_request.choice = Some("time".to_owned());
            expected_request.one_call_at_a_time = true;
        },
    );
    let none = offer(
        "tools that must not be called",
        &[Feature::Tools, Feature::ToolChoice],
        json!({"tool_choice": "none"}),
        json!({"tool_choice": {"type": "none"}}),
        |expected_request| expected_request.choice = Some("none".to_owned()),
    );
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let chat_past = json!({"messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [
            call("t1", "weather", "{\"city\": \"Oslo\"}"), call("t2", "time", "")]},
        {"role": "tool", "tool_call_id": "t1", "content": "rain"},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: no clock"},
        {"role": "user", "content": "Well?"},
    ]});
    // a provider of OpenAI's own format gets the empty arguments as they are, so its client sends an object
    let mut chat_past_object = chat_past.clone();
    chat_past_object["messages"][1]["tool_calls"][1]["function"]["arguments"] = "{}".into();
    let message_past = json!({"messages": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}},
            {"type": "tool_use", "id": "t2", "name": "time", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "rain"}]},
            {"type": "tool_result", "tool_use_id": "t2", "content": "no clock", "is_error": true},
            {"type": "text", "text": "Well?"}]},
    ]});
    let past = |expected_request: &mut ParsedRequest| {
        let called = vec![
            ("t1".to_owned(), "weather".to_owned(), json!({"city": "Oslo"})),
            ("t2".to_owned(), "time".to_owned(), json!({})),
        ];
        let results =
            vec![("t1".to_owned(), "rain".to_owned()), ("t2".to_owned(), "Error: no clock".to_owned())];
        expected_request.turns = vec![
            user("Weather?"),
            Turn { calls: called, ..assistant("Let me see.") },
            Turn { results, ..user("Well?") },
        ];
    };
    let mut results = offer("results of tools", &[Feature::Tools], chat_past_object, message_past, past);
    results.reply = hello();
    let picture =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}});
    let mut shown = with(
        "a result of a tool that is an image",
        &[Feature::Tools, Feature::Images, Feature::ImageData],
        None,
        Some(json!({"tools": message_tools(), "messages": [
            {"role": "user", "content": "Show me."},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "time", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [
                {"type": "text", "text": "a clock"}, picture]}]},
        ]})),
        |expected_request| {
            expected_request.tools = tools();
            expected_request.turns = vec![
                user("Show me."),
                Turn { calls: vec![("t1".to_owned(), "time".to_owned(), json!({}))], ..assistant("") },
                Turn {
                    results: vec![("t1".to_owned(), "a clock".to_owned())],
                    images: vec![format!("data:image/png;base64,{PIXEL}")],
                    ..user("")
                },
            ];
        },
    );
    shown.reply = hello();
    shown.responses = Some(json!({"tools": response_tools(), "max_output_tokens": 100, "input": [
        {"role": "user", "content": "Show me."},
        {"type": "function_call", "call_id": "t1", "name": "time", "arguments": ""},
        {"type": "function_call_output", "call_id": "t1", "output": [
            {"type": "input_text", "text": "a clock"},
            {"type": "input_image", "image_url": format!("data:image/png;base64,{PIXEL}")}]},
    ]}));
    let mut server = with(
        "a tool of the provider's own",
        &[Feature::ServerTools],
        None,
        Some(json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]})),
        |_| {},
    );
    server.responses =
        Some(json!({"input": "Hello", "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}));
    vec![offered, any, one, none, results, shown, server]
}

fn forms() -> Vec<Case> {
    let mut after_schema = with(
        "an answer after a schema",
        &[Feature::JsonSchema],
        Some(json!({"response_format": {"type": "json_schema",
            "json_schema": {"name": "place", "strict": true, "schema": schema()}}})),
        Some(json!({"output_config": {"format": {"type": "json_schema", "schema": schema()}}})),
        |expected_request| expected_request.schema = Some(schema()),
    );
    after_schema.reply.text = "{\"city\": \"Oslo\"}";
    let any_json = json!({"response_format": {"type": "json_object"}});
    let unasked = |_: &mut ParsedRequest| {};
    vec![
        after_schema,
        with("an answer in any JSON", &[Feature::JsonObject], Some(any_json), None, unasked),
        with("several answers", &[Feature::Choices], Some(json!({"n": 2})), None, unasked),
        with("a bias on tokens", &[Feature::Logprobs], Some(json!({"logit_bias": {"1": 5}})), None, unasked),
        with("a penalty", &[Feature::Penalties], Some(json!({"presence_penalty": 0.5})), None, unasked),
        with(
            "an answer in sound",
            &[Feature::Audio],
            Some(json!({"modalities": ["text", "audio"]})),
            None,
            unasked,
        ),
    ]
}

fn limits() -> Vec<Case> {
    let stop = with(
        "texts to stop at",
        &[Feature::Stop],
        Some(json!({"stop": ["END", "\n\n"]})),
        Some(json!({"stop_sequences": ["END", "\n\n"]})),
        |expected_request| expected_request.stop = vec!["END".to_owned(), "\n\n".to_owned()],
    );
    let begun =
        json!({"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good"}]});
    let prefill = with("an answer that the client has begun", &[Feature::Prefill], None, Some(begun), |_| {});
    vec![stop, prefill]
}
