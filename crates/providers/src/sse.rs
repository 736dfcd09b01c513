//! Server-sent events, cut out of the bytes of a stream however they come.
//!
//! The format is that of the HTML standard, section "Server-sent events". Lines may end with CRLF; comments are kept
//! with the event they stand in, and are no data.

use bytes::{Bytes, BytesMut};

/// No provider sends an event larger than this, and memory must not grow without bound.
pub(crate) const MAX_EVENT: usize = 4 << 20;

/// The length of the first event with its blank line.
pub(crate) fn first(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| match bytes.get(at + 1..) {
        Some([b'\n', ..]) => Some(at + 2),
        Some([b'\r', b'\n', ..]) => Some(at + 3),
        _ => None,
    })
}

/// The length of all complete events.
pub(crate) fn complete(bytes: &[u8]) -> usize {
    memchr::memrchr_iter(b'\n', bytes)
        .find(|at| {
            let before = bytes[..*at].strip_suffix(b"\r").unwrap_or(&bytes[..*at]);
            before.ends_with(b"\n")
        })
        .map_or(0, |at| at + 1)
}

/// The last of several complete events.
pub(crate) fn last(bytes: &[u8]) -> &[u8] {
    // without the blank line that ends it, the end found is that of the event before
    let end = bytes.trim_ascii_end().len();
    &bytes[complete(&bytes[..end])..]
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

/// The `data:` of an event; the first line of it, as providers send one.
pub(crate) fn data(event: &[u8]) -> Option<&[u8]> {
    values(event, b"data").next().map(<[u8]>::trim_ascii)
}

/// The `event:` of an event.
pub(crate) fn name(event: &[u8]) -> Option<&[u8]> {
    values(event, b"event").next().map(<[u8]>::trim_ascii)
}

/// All lines of an event's data, as the standard joins them.
pub(crate) fn whole_data(event: &[u8]) -> Vec<u8> {
    values(event, b"data").collect::<Vec<_>>().join(&b'\n')
}

/// An event for a client.
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

/// Cuts a stream into its events, for a reader that looks at every one.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    held: BytesMut,
    /// How much of what is held is known to hold no end of an event.
    searched: usize,
}

impl Splitter {
    /// Takes what came. False when the event that is under way is too large to be held.
    #[must_use]
    pub(crate) fn push(&mut self, chunk: &[u8]) -> bool {
        self.held.extend_from_slice(chunk);
        self.held.len() <= MAX_EVENT || complete(&self.held) > 0
    }

    /// The next event that is there as a whole.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        // the end may begin in what was searched: three bytes, in the longest case
        let from = self.searched.saturating_sub(3);
        match first(&self.held[from..]) {
            Some(end) => {
                self.searched = 0;
                Some(self.held.split_to(from + end).freeze())
            }
            None => {
                self.searched = self.held.len();
                None
            }
        }
    }

    /// What is left when the stream ends: an event without its blank line, if anything.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.searched = 0;
        self.held.split().freeze()
    }
}

/// What happens to an event that passes by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    Pass,
    /// It is kept from the client.
    Hide,
    /// It is the end, and is held back until the call is settled.
    Last,
}

/// Looks at the events of a stream that goes on as it comes.
pub(crate) trait Watch: Send {
    /// Whether bytes of whole events may hold what it looks for: quick, and wrong to one side only.
    fn concerns(&self, bytes: &[u8]) -> bool;

    /// Looks at one event.
    fn look(&mut self, event: &[u8]) -> Verdict;
}

/// A stream that goes on as it comes, to the byte, whole events at a time.
#[derive(Debug)]
pub(crate) struct Passing<W> {
    /// The beginning of an event whose end has not come yet.
    held: BytesMut,
    done: bool,
    pub(crate) watch: W,
}

impl<W: Watch> Passing<W> {
    pub(crate) fn watched_by(watch: W) -> Self {
        Self { held: BytesMut::new(), done: false, watch }
    }

    /// Takes what came, and answers with what may go on.
    pub(crate) fn push(&mut self, chunk: Bytes) -> crate::Forward {
        if self.done {
            return crate::Forward::default();
        }
        let mut bytes = if self.held.is_empty() {
            chunk
        } else {
            self.held.extend_from_slice(&chunk);
            self.held.split().freeze()
        };
        // an event that is too large to be held goes on in parts
        let end = match complete(&bytes) {
            0 if bytes.len() > MAX_EVENT => bytes.len(),
            end => end,
        };
        self.held.extend_from_slice(&bytes.split_off(end));
        // most chunks hold nothing of interest, and go on as they are
        if self.watch.concerns(&bytes) {
            self.look_closely(bytes)
        } else {
            crate::Forward { now: bytes, last: None }
        }
    }

    /// What is left when the provider closes without an end.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    fn look_closely(&mut self, bytes: Bytes) -> crate::Forward {
        let mut out = BytesMut::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let end = first(&rest).unwrap_or(rest.len());
            let event = rest.split_to(end);
            match self.watch.look(&event) {
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
    fn events_are_cut_out_however_the_bytes_come() {
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
    fn the_last_event_is_found_behind_others() {
        for end in ["\n", "\r\n"] {
            let two = ["data: 1", "", "data: 2", "", ""].join(end);
            assert_eq!(data(last(two.as_bytes())), Some(&b"2"[..]));
            assert_eq!(data(last(["data: 1", "", ""].join(end).as_bytes())), Some(&b"1"[..]));
            assert_eq!(last(b""), b"");
        }
    }

    #[test]
    fn an_event_without_an_end_is_not_held_for_ever() {
        let mut splitter = Splitter::default();
        let chunk = vec![b'x'; MAX_EVENT / 4];
        let held = (0..8).take_while(|_| splitter.push(&chunk)).count();
        assert_eq!(held, 4);
    }
}
