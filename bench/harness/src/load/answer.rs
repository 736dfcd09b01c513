//! Reading an answer to its end, and saying what is wrong with it.

use std::time::Instant;

use bytes::{Buf, BytesMut};
use memchr::memmem::{self, Finder};
use tokio::net::TcpStream;

use crate::http1::{self, Chunked, Framing, HttpError};

/// An answer's text ends within this many of its last bytes; usage and gateways' own fields follow it.
const TAIL: usize = 4096;

pub struct Read {
    pub status: u16,
    pub keep_alive: bool,
    /// When the first byte of the body had come; only asked for streams.
    pub first_byte: Option<Instant>,
}

/// Reads one answer; its body is appended to `body`.
pub async fn read(
    stream: &mut TcpStream,
    buf: &mut BytesMut,
    body: &mut Vec<u8>,
    want_first_byte: bool,
) -> Result<Read, HttpError> {
    let (status, head) = loop {
        match http1::response(buf)? {
            Some((100, interim)) => buf.advance(interim.len),
            Some(found) => break found,
            None => http1::fill(stream, buf, true).await?,
        }
    };
    buf.advance(head.len);
    let mut answer = Read { status, keep_alive: head.keep_alive, first_byte: None };
    let mut arrived = |any: bool| {
        if any && want_first_byte && answer.first_byte.is_none() {
            answer.first_byte = Some(Instant::now());
        }
    };
    match head.framing {
        Framing::Length(length) => {
            arrived(!buf.is_empty());
            while buf.len() < length {
                http1::fill(stream, buf, true).await?;
                arrived(true);
            }
            body.extend_from_slice(&buf[..length]);
            buf.advance(length);
        }
        Framing::Chunked => {
            let mut decoder = Chunked::default();
            loop {
                let done = decoder.feed(buf, body)?;
                arrived(!body.is_empty());
                if done {
                    break;
                }
                http1::fill(stream, buf, true).await?;
            }
        }
        Framing::UntilClose => {
            answer.keep_alive = false;
            loop {
                arrived(!buf.is_empty());
                body.extend_from_slice(buf);
                buf.clear();
                match http1::fill(stream, buf, false).await {
                    Ok(()) => {}
                    Err(HttpError::Closed { .. }) => break,
                    Err(error) => return Err(error),
                }
            }
        }
    }
    if answer.keep_alive && !buf.is_empty() {
        return Err(HttpError::Malformed("bytes after the answer"));
    }
    Ok(answer)
}

/// Whether this is the whole answer to a chat completion; the error is what is wrong, in words that repeat.
pub fn check(status: u16, body: &[u8], stream: bool, expect: &Finder<'_>) -> Result<(), String> {
    if status != 200 {
        return Err(format!("status {status}"));
    }
    let tail = &body[body.len().saturating_sub(TAIL)..];
    let trimmed = tail.trim_ascii_end();
    if stream {
        if !trimmed.ends_with(b"data: [DONE]") {
            return Err("stream without [DONE]".to_owned());
        }
    } else if !(body.starts_with(b"{")
        && trimmed.ends_with(b"}")
        && memmem::find(tail, b"\"usage\"").is_some())
    {
        return Err("not a whole completion".to_owned());
    }
    if expect.find(tail).is_none() {
        return Err("text of the answer cut or missing".to_owned());
    }
    Ok(())
}

/// Whether a request of another kind was answered.
pub fn check_any(status: u16, body: &[u8], expect: &Finder<'_>) -> Result<(), String> {
    if !(200..300).contains(&status) {
        return Err(format!("status {status}"));
    }
    match expect.find(&body[body.len().saturating_sub(TAIL)..]) {
        Some(_) => Ok(()),
        None => Err("answer cut or another than expected".to_owned()),
    }
}
