use super::*;

/// A stream with every field of the standard; `end` ends its lines.
fn stream(end: &str) -> String {
    let lines = [
        "event: a",
        "data: {",
        "data: }",
        "",
        ": ping",
        "retry: 10",
        "",
        "",
        "id",
        "data:1",
        "",
        "data",
        "",
        "data: open",
    ];
    format!("\u{feff}{}", lines.join(end))
}

#[test]
fn events_are_split_whatever_the_chunk_boundaries_and_line_ends() {
    for end in ["\n", "\r\n", "\r"] {
        let stream = stream(end);
        for size in 1..=stream.len() {
            let mut splitter = Splitter::default();
            let mut events = Vec::new();
            for chunk in stream.as_bytes().chunks(size) {
                assert!(splitter.push(chunk));
                while let Some(event) = splitter.next() {
                    events.extend(data(&event).map(Cow::into_owned));
                }
            }
            let expected = [b"{\n}".to_vec(), b"1".to_vec()];
            assert_eq!(events, expected, "cut every {size}, lines end with {end:?}");
            assert_eq!(data(&splitter.rest()).as_deref(), Some(&b"open"[..]));
        }
        let all: Vec<_> = recorded(stream.as_bytes()).map(Cow::into_owned).collect();
        assert_eq!(all, [b"{\n}".to_vec(), b"1".to_vec(), b"open".to_vec()]);
    }
}

#[test]
fn an_event_is_complete_with_its_blank_line() {
    for (bytes, complete) in [
        ("data: 1\n\ndata: 2\n", 9),
        ("data: 1\r\n\r\ndata", 11),
        ("data: 1\r\n\r", 0),
        ("data: 1\r\rdata", 9),
        ("data: 1\r\r", 9),
        ("data: 1\n\rdata", 9),
        ("\n", 1),
        ("", 0),
    ] {
        assert_eq!(complete_events_len(bytes.as_bytes()), complete, "{bytes:?}");
        assert_eq!(first_event_len(bytes.as_bytes()).unwrap_or(0), complete, "{bytes:?}");
    }
}

#[test]
fn a_stream_begins_with_its_first_data() {
    for (bytes, begun) in [
        (": ping\n\n", false),
        (": ping\n\ndata: 1\n", false),
        (": ping\n\nevent: ping\n\ndata: 1\n\n", true),
        ("data:\n\n", false),
        ("data: 1\r\r", true),
    ] {
        assert_eq!(holds_event(bytes.as_bytes()), begun, "{bytes:?}");
    }
}

#[test]
fn the_last_event_is_found() {
    for end in ["\n", "\r\n", "\r"] {
        let two = ["data: 1", "", "data: 2", "", ""].join(end);
        assert_eq!(data(last_event(two.as_bytes())).as_deref(), Some(&b"2"[..]));
        assert_eq!(data(last_event(["data: 1", "", ""].join(end).as_bytes())).as_deref(), Some(&b"1"[..]));
        assert_eq!(last_event(b""), b"");
    }
}

#[test]
fn an_event_without_an_end_is_not_buffered_forever() {
    let mut splitter = Splitter::default();
    let chunk = vec![b'x'; MAX_EVENT / 4];
    let buffered = (0..8).take_while(|_| splitter.push(&chunk)).count();
    assert_eq!(buffered, 4);
}
