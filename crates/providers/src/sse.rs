//! Splits a byte stream into server-sent events, whatever the chunk boundaries.
//!
//! The format is that of the HTML standard, section "Server-sent events". Lines may end with CRLF; comments stay with
//! the event that they precede, and are not data.

use bytes::{Bytes, BytesMut};

/// The largest event accepted: memory must not grow without bound, and no provider sends a larger one.
pub(crate) const MAX_EVENT: usize = 4 << 20;

/// The length of the first complete event, including its blank line.
pub(crate) fn first_event_len(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| match bytes.get(at + 1..) {
        Some([b'\n', ..]) => Some(at + 2),
        Some([b'\r', b'\n', ..]) => Some(at + 3),
        _ => None,
    })
}

/// The length of all complete events.
pub(crate) fn complete_events_len(bytes: &[u8]) -> usize {
    memchr::memrchr_iter(b'\n', bytes)
        .find(|at| {
            let before = bytes[..*at].strip_suffix(b"\r").unwrap_or(&bytes[..*at]);
            before.ends_with(b"\n")
        })
        .map_or(0, |at| at + 1)
}

/// The last of several complete events.
pub(crate) fn last_event(bytes: &[u8]) -> &[u8] {
    // the blank line at the end is ignored, so that the end found is that of the previous event
    let end = bytes.trim_ascii_end().len();
    &bytes[complete_events_len(&bytes[..end])..]
}

fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    event.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn values<'a>(event: &'a [u8], field: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    lines(event).filter_map(move |line| {
        let value = line.strip_prefix(field)?.strip_prefix(b":")?;
        Some(value.strip_prefix(b" ").unwrap_or(value))
    })
}

/// The `data:` of an event: its first line, as providers send one.
pub(crate) fn data(event: &[u8]) -> Option<&[u8]> {
    values(event, b"data").next().map(<[u8]>::trim_ascii)
}

/// The `event:` of an event.
pub(crate) fn name(event: &[u8]) -> Option<&[u8]> {
    values(event, b"event").next().map(<[u8]>::trim_ascii)
}

/// All lines of an event's data, joined as the standard says.
pub(crate) fn whole_data(event: &[u8]) -> Vec<u8> {
    values(event, b"data").collect::<Vec<_>>().join(&b'\n')
}

/// Writes an event for a client.
pub(crate) fn write(out: &mut BytesMut, name: Option<&str>, data: &serde_json::Value) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\n");
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Splits a stream into its events, for a reader that parses every one.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    buffered: BytesMut,
    /// Leading bytes of the buffer that hold no end of an event.
    searched: usize,
}

impl Splitter {
    /// Adds a chunk. False if the current event exceeds [`MAX_EVENT`].
    #[must_use]
    pub(crate) fn push(&mut self, chunk: &[u8]) -> bool {
        self.buffered.extend_from_slice(chunk);
        self.buffered.len() <= MAX_EVENT || complete_events_len(&self.buffered) > 0
    }

    /// The next complete event.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        // the end may begin in the searched part: at most three bytes before its end
        let from = self.searched.saturating_sub(3);
        match first_event_len(&self.buffered[from..]) {
            Some(end) => {
                self.searched = 0;
                Some(self.buffered.split_to(from + end).freeze())
            }
            None => {
                self.searched = self.buffered.len();
                None
            }
        }
    }

    /// The remainder when the stream ends: an event without its blank line, or nothing.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.searched = 0;
        self.buffered.split().freeze()
    }
}

/// What to do with an event of a forwarded stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Forward it.
    Pass,
    /// Don't forward it.
    Hide,
    /// It ends the stream, and is delayed until the call is settled.
    Last,
}

/// Inspects the events of a stream that is forwarded unchanged.
pub(crate) trait Inspector: Send {
    /// A fast check whether complete events may be relevant; false positives are allowed.
    fn is_relevant(&self, bytes: &[u8]) -> bool;

    /// Inspects one event.
    fn inspect(&mut self, event: &[u8]) -> Verdict;
}

/// A stream that is forwarded byte for byte, in complete events.
#[derive(Debug)]
pub(crate) struct PassThroughStream<W> {
    /// The start of an event that is not complete yet.
    buffered: BytesMut,
    done: bool,
    pub(crate) inspector: W,
}

impl<W: Inspector> PassThroughStream<W> {
    pub(crate) fn with_inspector(inspector: W) -> Self {
        Self { buffered: BytesMut::new(), done: false, inspector }
    }

    /// Adds a chunk; returns what can be forwarded.
    pub(crate) fn push(&mut self, chunk: Bytes) -> crate::Forward {
        if self.done {
            return crate::Forward::default();
        }
        let mut bytes = if self.buffered.is_empty() {
            chunk
        } else {
            self.buffered.extend_from_slice(&chunk);
            self.buffered.split().freeze()
        };
        // an event that is too large to be buffered is forwarded in parts
        let end = match complete_events_len(&bytes) {
            0 if bytes.len() > MAX_EVENT => bytes.len(),
            end => end,
        };
        self.buffered.extend_from_slice(&bytes.split_off(end));
        // most chunks are not relevant, and are forwarded without a copy
        if self.inspector.is_relevant(&bytes) {
            self.inspect_events(bytes)
        } else {
            crate::Forward { now: bytes, last: None }
        }
    }

    /// The remainder when the provider closes without an end.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.buffered.split().freeze()
    }

    fn inspect_events(&mut self, bytes: Bytes) -> crate::Forward {
        let mut out = BytesMut::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = first_event_len(&rest).unwrap_or(rest.len());
            let event = rest.split_to(end);
            match self.inspector.inspect(&event) {
                Verdict::Pass => out.extend_from_slice(&event),
                Verdict::Hide => {}
                Verdict::Last => {
                    self.done = true;
                    return crate::Forward { now: out.freeze(), last: Some(event) };
                }
            }
        }
        crate::Forward { now: out.freeze(), last: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_split_whatever_the_chunk_boundaries() {
        for end in ["\n", "\r\n"] {
            let stream =
                ["event: a", "data: {", "data: }", "", ": ping", "", "data:1", "", "data: open"].join(end);
            for size in 1..=stream.len() {
                let mut splitter = Splitter::default();
                let mut events = Vec::new();
                for chunk in stream.as_bytes().chunks(size) {
                    assert!(splitter.push(chunk));
                    while let Some(event) = splitter.next() {
                        events.push((name(&event).map(<[u8]>::to_vec), whole_data(&event)));
                    }
                }
                let expected =
                    [(Some(b"a".to_vec()), b"{\n}".to_vec()), (None, Vec::new()), (None, b"1".to_vec())];
                assert_eq!(events, expected, "cut every {size}");
                assert_eq!(data(&splitter.rest()), Some(&b"open"[..]));
            }
        }
    }

    #[test]
    fn the_last_event_is_found() {
        for end in ["\n", "\r\n"] {
            let two = ["data: 1", "", "data: 2", "", ""].join(end);
            assert_eq!(data(last_event(two.as_bytes())), Some(&b"2"[..]));
            assert_eq!(data(last_event(["data: 1", "", ""].join(end).as_bytes())), Some(&b"1"[..]));
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
}
