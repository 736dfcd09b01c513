use bytes::Bytes;

use super::*;
use crate::Reader;
use crate::sse::PassThrough;

const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"the \\\"usage\\\" of\"}}],\"usage\":null}\n\n\
    : a comment\n\ndata: {\"choices\":[ ],\ndata: \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4.0,\
    \"prompt_tokens_details\":{\"cached_tokens\":1}}}\n\ndata: [DONE]\n\n";

fn run(stream: &str, size: usize, hide: bool) -> (String, Option<String>, PassThrough<Chunks>) {
    let mut events = PassThrough::new(Chunks::new(hide));
    let (mut now, mut last) = (Vec::new(), None);
    for part in stream.as_bytes().chunks(size) {
        let forward = events.push(Bytes::copy_from_slice(part));
        assert!(forward.now.is_empty() || last.is_none(), "nothing follows the end");
        now.extend_from_slice(&forward.now);
        last = last.or(forward.last);
    }
    now.extend_from_slice(&events.finish());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (text(&now), last.as_deref().map(text), events)
}

fn all_line_ends(stream: &str) -> [String; 3] {
    ["\n", "\r\n", "\r"].map(|end| stream.replace('\n', end))
}

#[test]
fn the_stream_is_forwarded_unchanged_and_its_end_is_delayed() {
    for stream in all_line_ends(STREAM) {
        for size in 1..=stream.len() {
            let (now, last, events) = run(&stream, size, false);
            assert_eq!(now + &last.expect("an end"), stream, "cut every {size}");
            assert_eq!((events.usage(), events.is_complete()), (Some(Usage::new(3, 4, 1, 0)), true));
        }
    }
}

#[test]
fn usage_that_the_client_did_not_request_is_hidden() {
    for stream in all_line_ends(STREAM) {
        for size in 1..=stream.len() {
            let (now, last, events) = run(&stream, size, true);
            assert!(
                now.contains("a comment") && now.contains("usage\\\" of") && !now.contains("prompt_tokens"),
                "{now}"
            );
            assert!(last.is_some_and(|last| last.trim_end() == "data: [DONE]"));
            assert!(events.usage().is_some());
        }
    }
}

#[test]
fn a_truncated_event_is_not_forwarded_and_one_that_lacks_its_blank_line_is() {
    let chunk = "data: {\"choices\":[]}\n\n";
    let (now, last, events) = run(&format!("{chunk}data: {{\"cho"), 7, true);
    assert_eq!((now.as_str(), last, events.is_complete()), (chunk, None, false));
    let finish = "data: {\"choices\":[{\"finish_reason\" : \"stop\"}]}";
    let (now, last, events) = run(&format!("{chunk}{finish}"), 7, true);
    assert_eq!((now, last, events.is_complete()), (format!("{chunk}{finish}\n\n"), None, true));
    let (now, _, events) = run(&format!("{chunk}data: [DONE]"), 7, true);
    assert_eq!((now, events.is_complete()), (format!("{chunk}data: [DONE]\n\n"), true));
}

#[test]
fn a_stream_is_complete_with_a_finish_reason() {
    for (choice, complete) in [
        (r#"{"delta":{},"finish_reason":"length"}"#, true),
        (r#"{"delta":{},"finish_reason":null}"#, false),
        (r#"{"delta":{},"finish_reason":""}"#, false),
        (r#"{"delta":{"content":"\"finish_reason\":\"stop\""}}"#, false),
    ] {
        let (_, _, events) = run(&format!("data: {{\"choices\":[{choice}]}}\n\n"), 9, false);
        assert_eq!(events.is_complete(), complete, "{choice}");
    }
}

#[test]
fn an_error_in_the_middle_is_detected_and_forwarded() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"an \\\"error\\\"\"}}]}\n\n";
    for error in [
        r#"{"error":{"message":"out of memory","type":"server_error"}}"#,
        r#"{"error":{"message":"out of memory","code":502},"choices":[{"delta":{},"finish_reason":"error"}]}"#,
        r#"{"choices":[{"delta":{},"error":{"message":"out of memory"},"finish_reason":"error"}]}"#,
    ] {
        let stream = format!("{text}data: {error}\n\n");
        for size in 1..=stream.len() {
            let (now, last, events) = run(&stream, size, true);
            let failure = events.failure().map(|error| error.message.as_str());
            assert_eq!((now.as_str(), last, failure), (stream.as_str(), None, Some("out of memory")));
        }
    }
    let (_, _, events) = run(text, 9, true);
    assert_eq!(events.failure(), None);
}
