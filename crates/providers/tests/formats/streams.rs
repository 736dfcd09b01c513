//! Streams, whole and cut.

use bytes::Bytes;
use loam_providers::{Endpoint, Usage, assemble, completion_text};
use serde_json::{Value, json};

use super::{message, reader};

const RESPONSE: &str = "event: response.created\n\
    data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"output\":[],\"usage\":null}}\n\n\
    event: response.output_item.added\n\
    data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\",\"content\":[]}}\n\n\
    event: response.output_text.delta\n\
    data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"Hel\"}\n\n\
    event: response.output_text.delta\n\
    data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"lo\"}\n\n\
    event: response.completed\n\
    data: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"output\":[{\"type\":\"message\",\
    \"content\":[{\"type\":\"output_text\",\"text\":\"Hello\"}]}],\"usage\":{\"input_tokens\":9,\"output_tokens\":2,\
    \"input_tokens_details\":{\"cached_tokens\":4},\"total_tokens\":11}}}\n\n";

/// Runs a stream of the Responses API; returns what was forwarded, the end, the usage and the failure.
fn respond(stream: &str, size: usize) -> (String, Option<String>, Option<Usage>, Option<String>) {
    let body = json!({"model": "p/m", "input": "x", "stream": true});
    let mut reader = reader("openai", Endpoint::Responses, &body);
    let (mut now, mut last) = (Vec::new(), None);
    for part in stream.as_bytes().chunks(size) {
        let forward = reader.push(Bytes::copy_from_slice(part));
        now.extend_from_slice(&forward.now);
        last = last.or(forward.last);
    }
    now.extend_from_slice(&reader.finish());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let failure = reader.failure().map(|error| error.message.clone());
    assert_eq!(reader.is_complete(), last.is_some());
    (text(&now), last.as_deref().map(text), reader.usage(), failure)
}

#[test]
fn a_responses_stream_is_forwarded_with_its_end_delayed() {
    let usage =
        json!({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}});
    let usage: Usage = serde_json::from_value(usage).expect("usage");
    for stream in ["\n", "\r\n", "\r"].map(|end| RESPONSE.replace('\n', end)) {
        for size in 1..=stream.len() {
            let (now, last, counted, failure) = respond(&stream, size);
            let last = last.expect("an end");
            assert!(last.starts_with("event: response.completed"), "cut every {size}");
            assert_eq!((now + &last, counted, failure), (stream.clone(), Some(usage), None));
        }
    }
    let failed = RESPONSE.replace("response.completed", "response.failed").replace(
        "\"usage\":{",
        "\"error\":{\"code\":\"server_error\",\"message\":\"the moon is full\"},\"usage\":{",
    );
    let (_, _, counted, failure) = respond(&failed, 40);
    assert_eq!((counted, failure.as_deref()), (Some(usage), Some("the moon is full")));
    let broken = "event: error\ndata: {\"type\":\"error\",\"message\":\"the moon is full\"}\n\n";
    let (now, last, counted, failure) = respond(broken, 7);
    assert_eq!(
        (now.as_str(), last, counted, failure.as_deref()),
        (broken, None, None, Some("the moon is full"))
    );
}

#[test]
fn a_responses_stream_is_assembled_even_if_truncated() {
    let whole = assemble(RESPONSE);
    assert_eq!((completion_text(&whole).as_str(), &whole["usage"]["input_tokens"]), ("Hello", &json!(9)));
    let cut = assemble(&RESPONSE[..RESPONSE.find("event: response.completed").expect("it is there")]);
    assert_eq!((completion_text(&cut).as_str(), &cut["id"]), ("Hello", &json!("resp_1")));
}

#[test]
fn a_truncated_message_is_assembled_as_far_as_it_arrived() {
    let stream = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"content\":[],\
        \"usage\":{\"input_tokens\":3}}}\n\n\
        data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"name\":\"f\",\"input\":{}}}\n\n\
        data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}}\n\n";
    let message = assemble(stream);
    assert_eq!((&message["id"], &message["content"][0]["input"]), (&json!("msg_1"), &json!("{\"a\":")));
    assert_eq!(assemble(""), json!({"choices": []}));
}

/// The names and the data of the events that a client of Anthropic's format gets for a stream of tool calls.
fn blocks(parts: &[(u64, &str, &str)]) -> Vec<String> {
    let part = |(index, id, arguments): &(u64, &str, &str)| {
        let call = json!({"index": index, "id": id, "function": {"name": id, "arguments": arguments}});
        format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}))
    };
    let mut reader = reader("openai", Endpoint::Messages, &message(json!({"stream": true})));
    let mut sent = String::new();
    for chunk in parts.iter().map(part).chain(["data: [DONE]\n\n".to_owned()]) {
        sent += std::str::from_utf8(&reader.push(chunk.into()).now).expect("UTF-8");
    }
    assert_eq!(reader.failure(), None);
    let event = |event: &str| {
        let data: Value = serde_json::from_str(event.split_once("data: ")?.1).ok()?;
        let (index, delta) = (data["index"].as_u64()?, &data["delta"]["partial_json"]);
        Some(match data["type"].as_str()? {
            "content_block_start" => format!("{index} {}", data["content_block"]["id"].as_str()?),
            "content_block_delta" => format!("{index} {}", delta.as_str()?),
            _ => format!("{index} end"),
        })
    };
    sent.split("\n\n").filter_map(event).collect()
}

#[test]
fn tool_calls_are_sent_one_after_the_other_even_if_they_arrive_interleaved() {
    let sequential = [(0, "a", "{"), (0, "a", "}"), (1, "b", "{}")];
    assert_eq!(blocks(&sequential), ["0 a", "0 {", "0 }", "0 end", "1 b", "1 {}", "1 end"]);
    let interleaved =
        [(0, "a", ""), (1, "b", ""), (0, "a", "{"), (1, "b", "{\"x\":"), (0, "a", "}"), (1, "b", "1}")];
    assert_eq!(blocks(&interleaved), ["0 a", "0 {", "0 }", "0 end", "1 b", "1 {\"x\":", "1 1}", "1 end"]);
    let without_arguments = [(0, "a", ""), (1, "b", "{}"), (2, "c", "")];
    assert_eq!(blocks(&without_arguments), ["0 a", "0 end", "1 b", "1 {}", "1 end", "2 c", "2 end"]);
}

#[test]
fn a_stream_with_only_an_end_is_an_empty_message() {
    let mut reader = reader("openai", Endpoint::Messages, &message(json!({"stream": true})));
    let forward = reader.push(Bytes::from_static(b"data: [DONE]\n\n"));
    let now = std::str::from_utf8(&forward.now).expect("UTF-8");
    assert!(now.starts_with("event: message_start\n") && now.contains("event: message_delta\n"), "{now}");
    assert!(forward.last.is_some_and(|last| last.starts_with(b"event: message_stop")));
}

#[test]
fn repeated_usage_is_reported_once() {
    let body =
        json!({"model": "p/m", "stream": true, "stream_options": {"include_usage": true}, "messages": []});
    let mut reader = reader("anthropic", Endpoint::ChatCompletions, &body);
    let delta = |tokens: u64| {
        format!(
            "data: {}\n\n",
            json!({"type": "message_delta", "delta": {}, "usage": {"output_tokens": tokens}})
        )
    };
    let stream = delta(3) + &delta(5) + "data: {\"type\":\"message_stop\"}\n\n";
    let forward = reader.push(stream.into());
    let now = std::str::from_utf8(&forward.now).expect("UTF-8");
    assert_eq!(now.matches("\"completion_tokens\":5").count(), 1, "{now}");
    assert!(!now.contains("\"completion_tokens\":3"));
    assert_eq!(reader.usage().map(|usage| usage.completion_tokens), Some(5));
}
