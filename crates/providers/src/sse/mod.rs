//! Server-sent events, whatever the chunk boundaries: the one reader for all paths.
//!
//! The format is that of the HTML standard, section "Server-sent events": lines end with LF, CRLF or CR, a blank line
//! ends an event, a byte order mark may precede the stream, and an event may have several lines of data. Comments and
//! `retry:` stay with the event that they precede, and are not data. A blank line between events is an event without
//! data.

mod pass_through;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

pub(crate) use pass_through::{Inspector, PassThrough, Verdict};

/// The largest event accepted: memory must not grow without bound, and no provider sends a larger one.
pub(crate) const MAX_EVENT: usize = 4 << 20;

/// The error of a larger event.
pub(crate) fn event_too_large() -> String {
    format!("the provider sent an event of more than {MAX_EVENT} bytes")
}

/// Finds the end of the first event of bytes that grow, without searching any of them twice.
#[derive(Debug, Default)]
struct EndFinder {
    /// The start of the current line.
    line: usize,
    /// The previous line ended with a CR alone.
    after_cr: bool,
    /// The number of bytes searched.
    searched: usize,
}

impl EndFinder {
    /// The length of the first event, including its blank line, if that is complete. A CR at the end of the bytes may
    /// be half of a CRLF, except in a stream whose lines end with a CR alone.
    fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(found) = memchr::memchr2(b'\n', b'\r', &bytes[self.searched..]) {
            let at = self.searched + found;
            let is_blank = at == self.line;
            let end = match (bytes[at], bytes.get(at + 1)) {
                (b'\r', next) if !(is_blank && self.after_cr) => match next {
                    None => {
                        self.searched = at;
                        return None;
                    }
                    Some(b'\n') => at + 2,
                    Some(_) => at + 1,
                },
                _ => at + 1,
            };
            if is_blank {
                *self = Self::default();
                return Some(end);
            }
            *self = Self { line: end, after_cr: bytes[end - 1] == b'\r', searched: end };
        }
        self.searched = bytes.len();
        None
    }
}

/// The length of the first complete event, including its blank line.
fn first_event_len(bytes: &[u8]) -> Option<usize> {
    EndFinder::default().find(bytes)
}

/// The length of all complete events.
fn complete_events_len(bytes: &[u8]) -> usize {
    let end = |at: usize| {
        let is_crlf = bytes[at] == b'\n' && at > 0 && bytes[at - 1] == b'\r';
        let before = bytes[..at - usize::from(is_crlf)].last();
        let may_be_half = bytes[at] == b'\r' && at + 1 == bytes.len() && before != Some(&b'\r');
        (matches!(before, None | Some(b'\n' | b'\r')) && !may_be_half).then_some(at + 1)
    };
    memchr::memchr2_iter(b'\n', b'\r', bytes).rev().find_map(end).unwrap_or(0)
}

/// The last of several complete events.
pub(crate) fn last_event(bytes: &[u8]) -> &[u8] {
    // the blank line at the end is ignored, so that the end found is that of the previous event
    let end = bytes.trim_ascii_end().len();
    &bytes[complete_events_len(&bytes[..end])..]
}

fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = event.strip_prefix(b"\xef\xbb\xbf").unwrap_or(event);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, end) = rest.split_at(memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len()));
        rest = end.strip_prefix(b"\r\n").or_else(|| end.get(1..)).unwrap_or_default();
        Some(line)
    })
}

/// The data of an event: its lines joined by LF, without surrounding blanks. None if it has none.
pub(crate) fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut lines = lines(event).filter_map(|line| match line.strip_prefix(b"data")? {
        [] => Some(&line[..0]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    });
    let first = lines.next()?.trim_ascii();
    let mut joined = Cow::Borrowed(first);
    for line in lines {
        let joined = joined.to_mut();
        joined.push(b'\n');
        joined.extend_from_slice(line);
    }
    Some(joined).filter(|data| !data.is_empty())
}

/// Whether a complete event with data is among the bytes; until then a stream has not begun, though it may have sent
/// comments.
pub fn holds_event(mut bytes: &[u8]) -> bool {
    while let Some(end) = first_event_len(bytes) {
        if data(&bytes[..end]).is_some() {
            return true;
        }
        bytes = &bytes[end..];
    }
    false
}

/// The data of the events of a recorded stream, and of a last one without its blank line.
pub(crate) fn recorded(mut stream: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    std::iter::from_fn(move || {
        while !stream.is_empty() {
            let (event, rest) = stream.split_at(first_event_len(stream).unwrap_or(stream.len()));
            stream = rest;
            if let Some(data) = data(event) {
                return Some(data);
            }
        }
        None
    })
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
    end: EndFinder,
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
        let end = self.end.find(&self.buffered)?;
        Some(self.buffered.split_to(end).freeze())
    }

    /// The remainder when the stream ends: an event without its blank line, or nothing.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.end = EndFinder::default();
        self.buffered.split().freeze()
    }
}

#[cfg(test)]
mod tests;
