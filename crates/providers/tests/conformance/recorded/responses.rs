//! Responses as OpenAI and compatible servers send them.

use bytes::Bytes;
use loam_providers::{Endpoint, assemble};
use serde_json::{Value, json};

use super::{expected, recorded_usage, replies, session};
use crate::provider::Reply;
use crate::recorded::style::{Style, fragments};
use crate::stream::run;
use crate::{Format, Scenario};

/// The complete response.
fn response(reply: &Reply) -> Value {
    let mut output = Vec::new();
    if !reply.reasoning.is_empty() {
        output.push(json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": reply.reasoning}]}));
    }
    if !reply.text.is_empty() {
        let content = json!([{"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}]);
        output.push(json!({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}));
    }
    for (at, (name, arguments)) in reply.calls.iter().enumerate() {
        output
            .push(json!({"type": "function_call", "id": format!("fc_{at}"), "call_id": format!("call_{at}"),
            "name": name, "arguments": arguments.to_string(), "status": "completed"}));
    }
    let (status, details) = match reply.stop {
        "length" => ("incomplete", json!({"reason": "max_output_tokens"})),
        "content_filter" => ("incomplete", json!({"reason": "content_filter"})),
        _ => ("completed", Value::Null),
    };
    json!({"id": "resp_1", "object": "response", "created_at": 1_764_000_000, "status": status, "error": null,
        "incomplete_details": details, "model": "m", "output": output, "usage": {"input_tokens": 30,
            "input_tokens_details": {"cached_tokens": 8}, "output_tokens": 12, "total_tokens": 42}})
}

/// The events of OpenAI, with names and sequence numbers; or those of a server that sends only what is needed.
fn stream(reply: &Reply, is_openai: bool) -> String {
    let complete = response(reply);
    let mut begun = complete.clone();
    (begun["status"], begun["output"], begun["usage"]) = ("in_progress".into(), json!([]), Value::Null);
    let mut events = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
    ];
    for (at, item) in complete["output"].as_array().expect("items").iter().enumerate() {
        events.push(json!({"type": "response.output_item.added", "output_index": at, "item": item}));
        if item["type"] == "message" {
            let text = fragments(reply.text)
                .map(|part| json!({"type": "response.output_text.delta", "output_index": at, "delta": part}));
            events.extend(text);
        }
        events.push(json!({"type": "response.output_item.done", "output_index": at, "item": item}));
    }
    let last = format!("response.{}", complete["status"].as_str().expect("a status"));
    events.push(json!({"type": last, "response": complete}));
    let event = |(number, event): (usize, &Value)| match is_openai {
        true => {
            let mut event = event.clone();
            event["sequence_number"] = number.into();
            format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("a type"))
        }
        false => format!("data: {event}\n\n"),
    };
    events.iter().enumerate().map(event).collect()
}

#[test]
fn a_response_reaches_its_client_without_loss() {
    let body = json!({"model": "p/m", "input": "x", "stream": true});
    let scenario = |kind| {
        let (format, native) = (Format::Chat("reasoning_content"), json!({"responses": "native"}));
        Scenario::with_config(kind, format, Endpoint::Responses, &body, native)
    };
    for reply in replies() {
        let expected = expected(&Style::new("OpenAI", "openai"), &reply);
        for kind in ["openai", "ollama"] {
            let stream = stream(&reply, kind == "openai");
            for (end, size) in [("\n", 7), ("\r\n", 64), ("\r", stream.len())] {
                let stream = stream.replace('\n', end);
                let got = run(&scenario(kind), &stream, size);
                assert_eq!(got.all, stream);
                assert_eq!(recorded_usage(got.reader.usage()), expected.usage);
                assert_eq!((got.reader.failure(), got.reader.is_complete()), (None, true));
                session(Endpoint::Responses, &assemble(&stream), &expected);
            }
            let body = Bytes::from(response(&reply).to_string());
            let complete = scenario(kind).reader().read_complete(body.clone()).expect("a response");
            assert_eq!((&complete.body, recorded_usage(complete.usage)), (&body, expected.usage));
            session(Endpoint::Responses, &response(&reply), &expected);
        }
    }
}
