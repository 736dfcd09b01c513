//! Streamed responses.

use bytes::Bytes;
use loam_providers::openai::ChatOutput;
use loam_providers::{Endpoint, Reader, assemble};
use serde_json::json;

use crate::cases::all;
use crate::client::{Seen, of_output, read, read_stream};
use crate::complete::{cost, each_supported, expected};
use crate::{CLIENTS, KINDS, Scenario};

/// The bytes that a client received: all of them, and the delayed end.
pub struct Got {
    pub all: String,
    last: Option<String>,
    pub reader: Box<dyn Reader>,
}

/// Runs a stream through a reader, in chunks of `size` bytes.
pub fn run(scenario: &Scenario, stream: &str, size: usize) -> Got {
    run_reader(scenario.reader(), stream, size)
}

/// As [`run`], with a reader that keeps the output.
pub fn run_keeping(scenario: &Scenario, stream: &str, size: usize) -> (Got, ChatOutput) {
    let mut reader = scenario.reader();
    reader.keep_output();
    let mut got = run_reader(reader, stream, size);
    let output = std::mem::take(got.reader.output().expect("the reader of a chat completion keeps it"));
    (got, output)
}

fn run_reader(mut reader: Box<dyn Reader>, stream: &str, size: usize) -> Got {
    let (mut all, mut last) = (Vec::new(), None);
    for part in stream.as_bytes().chunks(size) {
        let forward = reader.push(Bytes::copy_from_slice(part));
        assert!(
            last.is_none() || (forward.now.is_empty() && forward.last.is_none()),
            "something behind the end"
        );
        all.extend_from_slice(&forward.now);
        if let Some(end) = forward.last {
            all.extend_from_slice(&end);
            last = Some(String::from_utf8(end.to_vec()).expect("UTF-8"));
        }
    }
    if last.is_none() {
        all.extend_from_slice(&reader.finish());
    }
    Got { all: String::from_utf8(all).expect("UTF-8"), last, reader }
}

fn sizes(stream: &str) -> impl Iterator<Item = usize> {
    // every small chunk size, which splits wherever a split is possible, and a few large ones
    (1..=64).chain([97, 211, 499, stream.len() / 2, stream.len()]).map(|size| size.max(1))
}

/// The end of a complete response.
fn end(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Messages => "event: message_stop",
        Endpoint::Responses => "event: response.completed",
        _ => "data: [DONE]",
    }
}

fn is_end(endpoint: Endpoint, last: &str) -> bool {
    last.starts_with(end(endpoint))
        || (endpoint == Endpoint::Responses && last.starts_with("event: response.incomplete"))
}

#[test]
fn a_stream_reaches_the_client_whatever_the_chunk_boundaries() {
    each_supported(true, |case, scenario| {
        let stream = scenario.format.stream(&case.reply);
        for stream in ["\n", "\r\n", "\r"].map(|end| stream.replace('\n', end)) {
            let complete = run(scenario, &stream, stream.len());
            for size in sizes(&stream) {
                let got = run(scenario, &stream, size);
                let name = format!("{}: {} cut every {size}", scenario.name(), case.name);
                assert_eq!(without_time(&got.all), without_time(&complete.all), "{name}");
                assert!(got.last.is_some_and(|last| is_end(scenario.endpoint, &last)), "{name}");
                assert_eq!(
                    (got.reader.usage(), got.reader.failure()),
                    (Some(cost(scenario.format)), None),
                    "{name}"
                );
            }
            let mut expected = expected(scenario.format, &case.reply);
            if scenario.endpoint == Endpoint::ChatCompletions {
                // the client didn't request it
                expected.usage = None;
            }
            let name = format!("{}: {}", scenario.name(), case.name);
            assert_eq!(read_stream(scenario.endpoint, &complete.all), expected, "{name}");
            // the recorded stream assembles into the equivalent response
            let assembled = assemble(&complete.all);
            if scenario.endpoint != Endpoint::ChatCompletions {
                assert_eq!(read(scenario.endpoint, &assembled), expected, "{name}");
            } else {
                assert_eq!(assembled["choices"][0]["finish_reason"], expected.stop.as_str(), "{name}");
            }
        }
    });
}

#[test]
fn the_output_that_a_reader_keeps_is_what_a_client_reads() {
    each_supported(true, |case, scenario| {
        if scenario.endpoint != Endpoint::ChatCompletions {
            return;
        }
        let stream = scenario.format.stream(&case.reply);
        for size in [1, 7, 64, stream.len()] {
            let (got, output) = run_keeping(scenario, &stream, size);
            let name = format!("{}: {} cut every {size}", scenario.name(), case.name);
            assert_eq!(without_time(&got.all), without_time(&run(scenario, &stream, size).all), "{name}");
            // usage is kept although the client didn't request it
            assert_eq!(of_output(output), Ok(expected(scenario.format, &case.reply)), "{name}");
        }
    });
}

/// Removes the timestamp and any generated id, which differ between translations.
fn without_time(stream: &str) -> String {
    let without = |stream: &str, field: &str| {
        stream
            .split(field)
            .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()))
            .collect::<String>()
    };
    without(&without(stream, "\"created\":"), "\"created_at\":")
}

#[test]
fn usage_is_in_a_stream_if_the_client_requested_it() {
    each_supported(true, |case, scenario| {
        if scenario.endpoint != Endpoint::ChatCompletions {
            return;
        }
        let mut body = case.request(scenario.endpoint, true).expect("there is one");
        body["stream_options"] = json!({"include_usage": true});
        let scenario = Scenario::new(scenario.kind.name, scenario.format, scenario.endpoint, &body);
        let got = run(&scenario, &scenario.format.stream(&case.reply), 50);
        assert_eq!(
            read_stream(scenario.endpoint, &got.all),
            expected(scenario.format, &case.reply),
            "{}",
            scenario.name()
        );
    });
}

/// The first case, for every kind and client.
fn streams(check: impl Fn(&Scenario, &str)) {
    let case = all().into_iter().find(|case| case.name == "a text").expect("there is one");
    for (name, format) in KINDS {
        for endpoint in CLIENTS {
            let body = case.request(endpoint, true).expect("there is one");
            check(&Scenario::new(name, format, endpoint, &body), &format.stream(&case.reply));
        }
    }
}

#[test]
fn a_truncated_stream_never_looks_complete() {
    streams(|scenario, stream| {
        // after the stop reason only the end is missing
        let stops = ["\"finish_reason\":\"stop\"", "\"stop_reason\":\"end_turn\"", "message_end"];
        let until = stops.iter().filter_map(|stop| stream.find(stop)).min().expect("it stops");
        for cut in 0..until {
            let Some(stream) = stream.get(..cut) else { continue };
            if scenario.endpoint == Endpoint::ChatCompletions {
                let kept = of_output(run_keeping(scenario, stream, 40).1);
                assert!(kept.is_err_and(|why| why.contains("before the response was complete")));
            }
            let mut got = run(scenario, stream, 40);
            let name = format!("{} cut at {cut}", scenario.name());
            assert!(got.last.is_none() && got.reader.usage().is_none(), "{name}");
            // the gateway adds the event that says so
            assert_eq!((got.reader.is_complete(), got.reader.failure()), (false, None), "{name}");
            assert!(!got.all.contains(end(scenario.endpoint)) && got.reader.finish().is_empty(), "{name}");
            if scenario.passes() {
                // all but an event without its end
                assert!(stream.starts_with(got.all.trim_end()), "{name}");
                assert!(got.all.is_empty() || got.all.ends_with("\n\n"), "{name}");
            }
        }
    });
}

#[test]
fn a_stream_that_only_lacks_its_end_is_completed() {
    streams(|scenario, stream| {
        let ends = ["data: [DONE]", "event: message_stop"];
        let Some(at) = ends.iter().find_map(|end| stream.find(end)) else { return };
        let got = run(scenario, &stream[..at], 33);
        assert!(scenario.passes() || got.all.contains(end(scenario.endpoint)), "{}", scenario.name());
        assert_eq!((got.reader.usage(), got.reader.failure()), (Some(cost(scenario.format)), None));
        assert!(got.reader.is_complete(), "{}", scenario.name());
        assert_eq!(read_stream(scenario.endpoint, &got.all).error, None);
    });
}

#[test]
fn an_error_in_the_middle_reaches_the_client_and_the_record() {
    streams(|scenario, stream| {
        let half = stream.match_indices("\n\n").nth(4).expect("five events").0 + 2;
        let stream = stream[..half].to_owned() + &scenario.format.stream_error("the moon is full");
        for size in sizes(&stream) {
            let mut got = run(scenario, &stream, size);
            let seen = read_stream(scenario.endpoint, &got.all);
            let observed = |text: Option<&str>| text.is_some_and(|text| text.contains("the moon is full"));
            assert!(
                observed(seen.error.as_deref())
                    && observed(got.reader.failure().map(|error| error.message.as_str())),
                "{} cut every {size}",
                scenario.name()
            );
            assert!(got.last.is_none() && got.reader.usage().is_none() && got.reader.finish().is_empty());
        }
    });
}

#[test]
fn an_event_is_forwarded_as_soon_as_it_is_complete() {
    streams(|scenario, stream| {
        let mut reader = scenario.reader();
        let mut text = String::new();
        for event in stream.split_inclusive("\n\n") {
            let forward = reader.push(Bytes::copy_from_slice(event.as_bytes()));
            text += std::str::from_utf8(&forward.now).expect("UTF-8");
            // a text fragment must be forwarded at once
            if event.contains("Grüß") {
                assert!(text.contains("Grüß"), "{}", scenario.name());
            }
        }
    });
}

#[test]
fn an_event_without_an_end_does_not_fill_the_memory() {
    streams(|scenario, _| {
        let mut reader = scenario.reader();
        let chunk = Bytes::from(vec![b'x'; 1 << 20]);
        reader.push(Bytes::from_static(b"data: "));
        let sent: usize = (0..12).map(|_| reader.push(chunk.clone()).now.len()).sum();
        if scenario.passes() {
            assert!(sent >= 8 << 20, "{}: it goes on in parts", scenario.name());
        } else {
            assert!(reader.failure().is_some() && reader.finish().is_empty(), "{}", scenario.name());
        }
    });
}

#[test]
fn an_empty_response_is_valid() {
    streams(|scenario, _| {
        let reply = crate::provider::Reply { stop: "stop", ..Default::default() };
        let got = run(scenario, &scenario.format.stream(&reply), 70);
        let seen = read_stream(scenario.endpoint, &got.all);
        assert_eq!(Seen { usage: None, ..seen }, Seen { stop: "stop".to_owned(), ..Seen::default() });
    });
}
