//! Replies as real servers send them, through every client format: a client of OpenAI's format, one of Anthropic's, one of
//! the Responses API, a conversation's turn, and the session that stores a client's call.

mod responses;
mod style;
mod styles;

use bytes::Bytes;
use loam_providers::openai::ChatOutput;
use loam_providers::{Endpoint, Finish, Usage, assemble, parse_response};
use serde_json::{Value, json};

use self::style::Style;
use crate::client::{Seen, of_output, read, read_stream};
use crate::provider::Reply;
use crate::stream::{run, run_keeping};
use crate::{Format, Scenario};

/// The replies that every server gives.
fn replies() -> Vec<Reply> {
    let call = |city: &str| ("weather", json!({"city": city, "days": [1, 2], "unit": null}));
    let tools = |calls| Reply { calls, stop: "tool_calls", ..Reply::default() };
    vec![
        Reply { text: "It rains in Oslo.", stop: "stop", ..Reply::default() },
        Reply {
            text: "Grüße, 世界! 🌱\n\n```json\n{\"usage\": \"[DONE]\"}\n```\tdata: x\n\n",
            stop: "stop",
            ..Reply::default()
        },
        Reply {
            reasoning: "The user asks about 天气.\n\nSo \"Oslo\".",
            text: "Rain.",
            stop: "stop",
            ..Reply::default()
        },
        tools(vec![call("Oslo")]),
        tools(vec![call("Tromsø \"N\""), ("time", json!({"zone": 1}))]),
        tools(vec![("time", json!({}))]),
        Reply { text: "Let me see.", reasoning: "A tool helps.", ..tools(vec![call("Oslo")]) },
        Reply { text: "It rains in", stop: "length", ..Reply::default() },
        Reply { text: "It", stop: "content_filter", ..Reply::default() },
    ]
}

fn expected(style: &Style, reply: &Reply) -> Seen {
    let call = |(name, arguments): &(&str, Value)| (String::new(), (*name).to_owned(), arguments.clone());
    Seen {
        reasoning: style.reasoning.map_or("", |_| reply.reasoning).to_owned(),
        text: reply.text.to_owned(),
        calls: reply.calls.iter().map(call).collect(),
        // Gemini's `stop` is that of every reply
        stop: match ((style.stop)(reply.stop), reply.calls.is_empty()) {
            ("stop", false) => "tool_calls",
            ("stop", true) => "stop",
            _ => reply.stop,
        }
        .to_owned(),
        usage: Some((30, 12, style.cached)),
        error: None,
    }
}

/// Checks the ids of calls, which differ from server to server, and leaves them out.
fn without_ids(endpoint: Endpoint, mut seen: Seen) -> Seen {
    let ids: Vec<String> = seen.calls.iter_mut().map(|(id, ..)| std::mem::take(id)).collect();
    for (at, id) in ids.iter().enumerate() {
        assert!(!id.is_empty() && !ids[..at].contains(id), "each call has its own id: {ids:?}");
        assert!(
            endpoint != Endpoint::Messages
                || id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
            "Anthropic accepts {id}"
        );
    }
    seen
}

fn scenario(style: &Style, endpoint: Endpoint, stream: bool) -> Scenario {
    let body = json!({"model": "p/m", "max_tokens": 9, "stream": stream, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "x"}]});
    Scenario::new(style.kind, Format::Chat("reasoning_content"), endpoint, &body)
}

fn recorded_usage(usage: Option<Usage>) -> Option<(u64, u64, u64)> {
    usage.map(|usage| (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens))
}

/// What a turn makes of the output. The model's ids of calls are kept as they are.
fn turn(output: ChatOutput) -> Result<Seen, String> {
    let mut seen = of_output(output)?;
    seen.calls.iter_mut().for_each(|(id, ..)| {
        assert!(!id.is_empty(), "each call has an id");
        id.clear();
    });
    Ok(seen)
}

/// What a session stores of a call: everything but reasoning and usage.
fn session(endpoint: Endpoint, response: &Value, expected: &Seen) {
    let (message, finish) = parse_response(endpoint, response);
    let call = |call: &Value| {
        let arguments = call["function"]["arguments"].as_str().expect("text");
        (
            String::new(),
            call["function"]["name"].as_str().expect("a name").to_owned(),
            serde_json::from_str(arguments).expect("JSON"),
        )
    };
    let calls: Vec<_> = message
        .tool_calls
        .iter()
        .flat_map(|calls| calls.as_array().into_iter().flatten())
        .map(call)
        .collect();
    let finish = match finish.expect("a reason") {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    };
    assert_eq!((&message.text, &calls, finish), (&expected.text, &expected.calls, expected.stop.as_str()));
}

#[test]
fn a_stream_of_every_server_reaches_every_client_without_loss() {
    for style in styles::all() {
        for reply in replies() {
            let (stream, expected) = (style.stream(&reply), expected(&style, &reply));
            for (end, size) in [("\n", 3), ("\r\n", 61), ("\n", stream.len()), ("\r", 1 << 20)] {
                let stream = stream.replace('\n', end);
                let name = format!("{}: {reply:?}, cut every {size}", style.name);
                let got = run(&scenario(&style, Endpoint::ChatCompletions, true), &stream, size);
                assert_eq!(got.all, stream, "{name}");
                assert_eq!(recorded_usage(got.reader.usage()), expected.usage, "{name}");
                assert_eq!((got.reader.failure(), got.reader.is_complete()), (None, true), "{name}");
                session(Endpoint::ChatCompletions, &assemble(&got.all), &expected);

                for endpoint in [Endpoint::Messages, Endpoint::Responses] {
                    let got = run(&scenario(&style, endpoint, true), &stream, size);
                    assert_eq!(without_ids(endpoint, read_stream(endpoint, &got.all)), expected, "{name}");
                    assert_eq!(recorded_usage(got.reader.usage()), expected.usage, "{name}");
                    session(endpoint, &assemble(&got.all), &expected);
                }

                let (got, output) =
                    run_keeping(&scenario(&style, Endpoint::ChatCompletions, true), &stream, size);
                assert_eq!(got.all, stream, "{name}");
                assert_eq!(turn(output), Ok(expected.clone()), "{name}");
                let recorded = ChatOutput::of_recorded(stream.as_bytes(), true).expect("a stream");
                assert_eq!(turn(recorded).as_ref(), Ok(&expected), "{name}");
            }
        }
    }
}

#[test]
fn a_complete_response_of_every_server_reaches_every_client_without_loss() {
    for style in styles::all() {
        for reply in replies() {
            let (body, expected) = (Bytes::from(style.complete(&reply)), expected(&style, &reply));
            let name = format!("{}: {reply:?}", style.name);
            let json = |body: &[u8]| serde_json::from_slice::<Value>(body).expect("JSON");
            let read_complete = |endpoint| {
                let read = scenario(&style, endpoint, false).reader().read_complete(body.clone());
                read.unwrap_or_else(|e| panic!("{name}: {e:?}"))
            };
            let complete = read_complete(Endpoint::ChatCompletions);
            assert_eq!((&complete.body, recorded_usage(complete.usage)), (&body, expected.usage), "{name}");
            session(Endpoint::ChatCompletions, &json(&body), &expected);

            for endpoint in [Endpoint::Messages, Endpoint::Responses] {
                let response = json(&read_complete(endpoint).body);
                assert_eq!(without_ids(endpoint, read(endpoint, &response)), expected, "{name}");
                session(endpoint, &response, &expected);
            }

            let mut reader = scenario(&style, Endpoint::ChatCompletions, false).reader();
            reader.keep_output();
            reader.read_complete(body.clone()).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            let output = std::mem::take(reader.output().expect("it is kept"));
            assert_eq!(turn(output).as_ref(), Ok(&expected), "{name}");
        }
    }
}
