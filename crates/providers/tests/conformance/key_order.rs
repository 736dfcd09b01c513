//! The order of keys in schemas and arguments means something to a model, so every translation keeps it.

use loam_providers::{Endpoint, Feature};
use serde_json::{Value, json};

use crate::{Format, KINDS, Scenario};

/// Neither sorted nor in reverse.
const ORDER: [&str; 3] = ["zeta", "alpha", "mid"];

/// The fields of requests that hold a response format.
const FORMATS: [&str; 3] = ["output_config", "response_format", "text"];

/// The names of [`ORDER`] in a text, in the order in which they occur.
fn names(text: &str) -> Vec<&'static str> {
    let mut found: Vec<(usize, &str)> =
        ORDER.iter().flat_map(|name| text.match_indices(name).map(|(at, _)| (at, *name))).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).collect()
}

fn assert_order(text: &[u8], times: usize, context: &str) {
    let text = std::str::from_utf8(text).expect("UTF-8");
    assert_eq!(names(text), ORDER.repeat(times), "{context}: {text}");
}

fn schema() -> Value {
    let string = json!({"type": "string"});
    json!({"type": "object", "properties": {"zeta": string, "alpha": string, "mid": string}})
}

fn arguments() -> Value {
    json!({"zeta": 1, "alpha": 2, "mid": 3})
}

/// A tool, the response format and an earlier call.
fn request(endpoint: Endpoint) -> Value {
    let question = json!({"role": "user", "content": "x"});
    match endpoint {
        Endpoint::Messages => json!({"model": "p/m", "max_tokens": 50,
            "tools": [{"name": "f", "input_schema": schema()}],
            "output_config": {"format": {"type": "json_schema", "schema": schema()}},
            "messages": [question,
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": arguments()}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "y"}]}]}),
        Endpoint::Responses => json!({"model": "p/m",
            "tools": [{"type": "function", "name": "f", "parameters": schema()}],
            "text": {"format": {"type": "json_schema", "name": "n", "schema": schema()}},
            "input": [question,
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments().to_string()},
                {"type": "function_call_output", "call_id": "c", "output": "y"}]}),
        _ => json!({"model": "p/m",
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema()}}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema()}},
            "messages": [question,
                {"role": "assistant", "tool_calls": [{"id": "c", "type": "function",
                    "function": {"name": "f", "arguments": arguments().to_string()}}]},
                {"role": "tool", "tool_call_id": "c", "content": "y"}]}),
    }
}

fn response(format: Format) -> Option<Value> {
    match format {
        Format::Chat(_) => Some(json!({"choices": [{"index": 0, "finish_reason": "tool_calls", "message":
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "function",
                "function": {"name": "f", "arguments": arguments().to_string()}}]}}]})),
        Format::Messages => Some(json!({"type": "message", "role": "assistant", "stop_reason": "tool_use",
            "content": [{"type": "tool_use", "id": "c", "name": "f", "input": arguments()}]})),
        Format::Dify => None,
    }
}

#[test]
fn schemas_and_arguments_keep_the_order_of_their_keys() {
    for (name, format) in KINDS {
        let Some(response) = response(format) else { continue };
        for endpoint in crate::CLIENTS {
            let mut request = request(endpoint);
            let kind = loam_providers::kind(name).expect("a kind");
            let has_format = !kind.wire.unsupported(endpoint).contains(&Feature::JsonSchema);
            if !has_format {
                FORMATS
                    .iter()
                    .for_each(|field| _ = request.as_object_mut().and_then(|all| all.remove(*field)));
            }
            let schemas = 1 + usize::from(has_format);
            let scenario = Scenario::new(name, format, endpoint, &request);
            let outgoing = scenario.outgoing().expect("a request");
            assert_order(&outgoing.body, schemas + 1, &scenario.name());
            let complete = scenario.reader().read_complete(response.to_string().into()).expect("a response");
            // a response of the Responses API repeats the schemas of its request
            let repeated = if endpoint == Endpoint::Responses { schemas } else { 0 };
            assert_order(&complete.body, repeated + 1, &scenario.name());
        }
    }
}
