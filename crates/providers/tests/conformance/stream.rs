//! Answers that come as streams.

use bytes::Bytes;
use loam_providers::{Endpoint, Reader, assemble};
use serde_json::json;

use crate::cases::all;
use crate::client::{Seen, read, read_stream};
use crate::whole::{answered, cost, expected};
use crate::{Asking, CLIENTS, KINDS};

/// What a client got: all of it, and the end by itself.
struct Got {
    all: String,
    last: Option<String>,
    reader: Box<dyn Reader>,
}

/// Runs a stream through a reader, cut every `size` bytes.
fn run(asking: &Asking, stream: &str, size: usize) -> Got {
    let mut reader = asking.reader();
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
    // every small cut, where all that can be cut apart is, and a few that take the stream in some pieces
    (1..=64).chain([97, 211, 499, stream.len() / 2, stream.len()]).map(|size| size.max(1))
}

fn end(endpoint: Endpoint) -> &'static str {
    if endpoint == Endpoint::Messages { "event: message_stop" } else { "data: [DONE]" }
}

#[test]
fn a_stream_reaches_the_client_however_it_is_cut() {
    answered(true, |case, asking| {
        let stream = asking.format.stream(&case.says);
        for stream in [stream.clone(), stream.replace('\n', "\r\n")] {
            let whole = run(asking, &stream, stream.len());
            for size in sizes(&stream) {
                let got = run(asking, &stream, size);
                let name = format!("{}: {} cut every {size}", asking.name(), case.name);
                assert_eq!(without_time(&got.all), without_time(&whole.all), "{name}");
                assert!(got.last.is_some_and(|last| last.starts_with(end(asking.endpoint))), "{name}");
                assert_eq!(
                    (got.reader.usage(), got.reader.failure()),
                    (Some(cost(asking.format)), None),
                    "{name}"
                );
            }
            let mut expected = expected(asking.format, &case.says);
            if asking.endpoint == Endpoint::ChatCompletions {
                // the client didn't ask for it
                expected.usage = None;
            }
            let name = format!("{}: {}", asking.name(), case.name);
            assert_eq!(read_stream(asking.endpoint, &whole.all), expected, "{name}");
            // what is kept of the call is the answer that would have come whole
            let kept = assemble(&whole.all);
            if asking.endpoint == Endpoint::Messages {
                assert_eq!(read(asking.endpoint, &kept), expected, "{name}");
            } else {
                assert_eq!(kept["choices"][0]["finish_reason"], expected.stop.as_str(), "{name}");
            }
        }
    });
}

/// The time of an answer is that of its translation, and so is an id that a provider didn't give.
fn without_time(stream: &str) -> String {
    stream.split("\"created\":").map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit())).collect()
}

#[test]
fn usage_is_in_a_stream_for_who_asked_for_it() {
    answered(true, |case, asking| {
        if asking.endpoint != Endpoint::ChatCompletions {
            return;
        }
        let mut body = case.request(asking.endpoint, true).expect("there is one");
        body["stream_options"] = json!({"include_usage": true});
        let asking = Asking::new(asking.kind.name, asking.format, asking.endpoint, &body);
        let got = run(&asking, &asking.format.stream(&case.says), 50);
        assert_eq!(
            read_stream(asking.endpoint, &got.all),
            expected(asking.format, &case.says),
            "{}",
            asking.name()
        );
    });
}

/// One case for every kind and client.
fn streams(check: impl Fn(&Asking, &str)) {
    let case = all().into_iter().find(|case| case.name == "a text").expect("there is one");
    for (name, format) in KINDS {
        for endpoint in CLIENTS {
            let body = case.request(endpoint, true).expect("there is one");
            check(&Asking::new(name, format, endpoint, &body), &format.stream(&case.says));
        }
    }
}

#[test]
fn a_stream_that_breaks_off_never_looks_whole() {
    streams(|asking, stream| {
        // where the model has said why it stopped, nothing is missing but the end
        let stops = ["\"finish_reason\":\"stop\"", "\"stop_reason\":\"end_turn\"", "message_end"];
        let until = stops.iter().filter_map(|stop| stream.find(stop)).min().expect("it stops");
        for cut in 0..until {
            let Some(stream) = stream.get(..cut) else { continue };
            let mut got = run(asking, stream, 40);
            let name = format!("{} cut at {cut}", asking.name());
            assert!(got.last.is_none() && got.reader.usage().is_none(), "{name}");
            if asking.passes() {
                assert_eq!((got.all.as_str(), got.reader.failure()), (stream, None), "{name}");
            } else {
                assert!(!got.all.contains(end(asking.endpoint)), "{name}");
                let seen = read_stream(asking.endpoint, &got.all);
                assert!(
                    seen.error.is_some_and(|error| error.contains("before its answer was whole")),
                    "{name}"
                );
                assert!(got.reader.failure().is_some() && got.reader.finish().is_empty(), "{name}");
            }
        }
    });
}

#[test]
fn a_stream_that_only_lacks_its_end_is_given_one() {
    streams(|asking, stream| {
        let ends = ["data: [DONE]", "event: message_stop"];
        let Some(at) = ends.iter().find_map(|end| stream.find(end)) else { return };
        if asking.passes() {
            return;
        }
        let got = run(asking, &stream[..at], 33);
        assert!(got.all.contains(end(asking.endpoint)), "{}", asking.name());
        assert_eq!((got.reader.usage(), got.reader.failure()), (Some(cost(asking.format)), None));
        assert_eq!(read_stream(asking.endpoint, &got.all).error, None);
    });
}

#[test]
fn an_error_in_the_middle_reaches_the_client_and_the_record() {
    streams(|asking, stream| {
        let half = stream.match_indices("\n\n").nth(4).expect("five events").0 + 2;
        let stream = stream[..half].to_owned() + &asking.format.stream_error("the moon is full");
        for size in sizes(&stream) {
            let mut got = run(asking, &stream, size);
            let seen = read_stream(asking.endpoint, &got.all);
            let told = |said: Option<String>| said.is_some_and(|said| said.contains("the moon is full"));
            assert!(told(seen.error) && told(got.reader.failure()), "{} cut every {size}", asking.name());
            assert!(got.last.is_none() && got.reader.usage().is_none() && got.reader.finish().is_empty());
        }
    });
}

#[test]
fn an_event_goes_on_as_soon_as_it_is_there() {
    streams(|asking, stream| {
        let mut reader = asking.reader();
        let mut text = String::new();
        for event in stream.split_inclusive("\n\n") {
            let forward = reader.push(Bytes::copy_from_slice(event.as_bytes()));
            text += std::str::from_utf8(&forward.now).expect("UTF-8");
            // a part of the text: it is there at once
            if event.contains("Grüß") {
                assert!(text.contains("Grüß"), "{}", asking.name());
            }
        }
    });
}

#[test]
fn an_event_without_an_end_does_not_fill_the_memory() {
    streams(|asking, _| {
        let mut reader = asking.reader();
        let chunk = Bytes::from(vec![b'x'; 1 << 20]);
        reader.push(Bytes::from_static(b"data: "));
        let sent: usize = (0..12).map(|_| reader.push(chunk.clone()).now.len()).sum();
        if asking.passes() {
            assert!(sent >= 8 << 20, "{}: it goes on in parts", asking.name());
        } else {
            assert!(reader.failure().is_some() && reader.finish().is_empty(), "{}", asking.name());
        }
    });
}

#[test]
fn an_answer_without_a_word_is_an_answer() {
    streams(|asking, _| {
        let says = crate::provider::Says { stop: "stop", ..Default::default() };
        let got = run(asking, &asking.format.stream(&says), 70);
        let seen = read_stream(asking.endpoint, &got.all);
        assert_eq!(Seen { usage: None, ..seen }, Seen { stop: "stop".to_owned(), ..Seen::default() });
    });
}
