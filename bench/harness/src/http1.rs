//! As much HTTP/1.1 as the two ends of a benchmark need: heads, bodies by length, chunked bodies, keep-alive.

use bytes::{Buf, BytesMut};
use tokio::{io::AsyncReadExt, net::TcpStream};

/// Heads above this are refused; no gateway adds that much.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 96;
/// Room made before each read, so that a usual answer arrives in one system call.
const READ_ROOM: usize = 16 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("i/o: {0}")]
    Io(#[from] std::io::Error),
    #[error("malformed head: {0}")]
    Head(#[from] httparse::Error),
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The peer closed the connection; `inside` a message or between two.
    #[error("connection closed {}", if *inside { "inside a message" } else { "between messages" })]
    Closed { inside: bool },
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// What is kept of a head, whichever direction it went.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the head with its empty line.
    pub len: usize,
    pub framing: Framing,
    pub keep_alive: bool,
    pub expects_continue: bool,
}

/// Reads once into `buf`. `inside` only chooses the error when the peer has closed.
pub async fn fill(stream: &mut TcpStream, buf: &mut BytesMut, inside: bool) -> Result<(), HttpError> {
    buf.reserve(READ_ROOM);
    match stream.read_buf(buf).await? {
        0 => Err(HttpError::Closed { inside: inside || !buf.is_empty() }),
        _ => Ok(()),
    }
}

/// Parses a request head; `None` asks for more bytes. `route` maps method and path to the caller's own type.
pub fn request<T>(buf: &[u8], route: impl FnOnce(&str, &str) -> T) -> Result<Option<(T, Head)>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(len) = parsed.parse(buf)? else {
        return more(buf);
    };
    let to = route(parsed.method.unwrap_or(""), parsed.path.unwrap_or(""));
    let head = fields(parsed.headers, len, parsed.version == Some(1), Framing::Length(0))?;
    Ok(Some((to, head)))
}

/// Parses a response head into its status and framing; `None` asks for more bytes.
pub fn response(buf: &[u8]) -> Result<Option<(u16, Head)>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(len) = parsed.parse(buf)? else {
        return more(buf);
    };
    let head = fields(parsed.headers, len, parsed.version == Some(1), Framing::UntilClose)?;
    Ok(Some((parsed.code.unwrap_or(0), head)))
}

fn more<T>(buf: &[u8]) -> Result<Option<T>, HttpError> {
    if buf.len() > MAX_HEAD { Err(HttpError::Malformed("head too long")) } else { Ok(None) }
}

fn fields(
    headers: &[httparse::Header<'_>],
    len: usize,
    http_1_1: bool,
    unframed: Framing,
) -> Result<Head, HttpError> {
    let mut head = Head { len, framing: unframed, keep_alive: http_1_1, expects_continue: false };
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse().ok());
            let length = length.ok_or(HttpError::Malformed("content-length"))?;
            // Transfer-Encoding wins over Content-Length, in whichever order they come.
            if head.framing != Framing::Chunked {
                head.framing = Framing::Length(length);
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if !header.value.to_ascii_lowercase().ends_with(b"chunked") {
                return Err(HttpError::Malformed("transfer-encoding"));
            }
            head.framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.keep_alive = if http_1_1 {
                !header.value.eq_ignore_ascii_case(b"close")
            } else {
                header.value.eq_ignore_ascii_case(b"keep-alive")
            };
        } else if header.name.eq_ignore_ascii_case("expect") {
            head.expects_continue = header.value.eq_ignore_ascii_case(b"100-continue");
        }
    }
    Ok(head)
}

/// Takes a chunked body apart as it comes.
#[derive(Debug, Default)]
pub struct Chunked {
    state: ChunkState,
}

#[derive(Debug, Default, Clone, Copy)]
enum ChunkState {
    #[default]
    Size,
    Data(usize),
    DataEnd,
    /// After the last chunk: trailer lines up to an empty one.
    Trailer,
}

impl Chunked {
    /// Moves what `input` has of the body to `out`; true when the body has ended. What follows it stays in `input`.
    pub fn feed(&mut self, input: &mut BytesMut, out: &mut Vec<u8>) -> Result<bool, HttpError> {
        loop {
            match self.state {
                ChunkState::Size => {
                    let Some(line_len) = line(input)? else {
                        return Ok(false);
                    };
                    self.state = match size(&input[..line_len])? {
                        0 => ChunkState::Trailer,
                        data => ChunkState::Data(data),
                    };
                    input.advance(line_len + 2);
                }
                ChunkState::Data(left) => {
                    let taken = left.min(input.len());
                    out.extend_from_slice(&input[..taken]);
                    input.advance(taken);
                    if taken < left {
                        self.state = ChunkState::Data(left - taken);
                        return Ok(false);
                    }
                    self.state = ChunkState::DataEnd;
                }
                ChunkState::DataEnd => {
                    if input.len() < 2 {
                        return Ok(false);
                    }
                    if &input[..2] != b"\r\n" {
                        return Err(HttpError::Malformed("chunk longer than it says"));
                    }
                    input.advance(2);
                    self.state = ChunkState::Size;
                }
                ChunkState::Trailer => {
                    let Some(line_len) = line(input)? else {
                        return Ok(false);
                    };
                    input.advance(line_len + 2);
                    if line_len == 0 {
                        return Ok(true);
                    }
                }
            }
        }
    }
}

/// Length of the first line without its CRLF, when it is there in full.
fn line(input: &[u8]) -> Result<Option<usize>, HttpError> {
    match memchr::memchr(b'\n', input) {
        Some(at) if at > 0 && input[at - 1] == b'\r' => Ok(Some(at - 1)),
        Some(_) => Err(HttpError::Malformed("bare line feed in chunked body")),
        None if input.len() > 4096 => Err(HttpError::Malformed("chunk header too long")),
        None => Ok(None),
    }
}

fn size(line: &[u8]) -> Result<usize, HttpError> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or(line);
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| usize::from_str_radix(text.trim(), 16).ok())
        .ok_or(HttpError::Malformed("chunk size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_the_same_however_it_is_cut() {
        let wire = b"5\r\nhello\r\n7;note=1\r\n, world\r\n0\r\nTrailer: x\r\n\r\nNEXT";
        for cut in 0..wire.len() {
            let (mut decoder, mut input, mut out) = (Chunked::default(), BytesMut::new(), Vec::new());
            input.extend_from_slice(&wire[..cut]);
            let mut done = decoder.feed(&mut input, &mut out).unwrap();
            input.extend_from_slice(&wire[cut..]);
            done |= !done && decoder.feed(&mut input, &mut out).unwrap();
            assert!(done, "cut at {cut}");
            assert_eq!(out, b"hello, world", "cut at {cut}");
            assert_eq!(&input[..], b"NEXT", "cut at {cut}");
        }
    }

    #[test]
    fn a_chunk_that_lies_about_its_size_is_refused() {
        let mut input = BytesMut::from(&b"3\r\nhello\r\n0\r\n\r\n"[..]);
        assert!(Chunked::default().feed(&mut input, &mut Vec::new()).is_err());
        let mut input = BytesMut::from(&b"zz\r\nhello\r\n"[..]);
        assert!(Chunked::default().feed(&mut input, &mut Vec::new()).is_err());
    }

    #[test]
    fn framing_is_read_from_the_head() {
        let (status, head) =
            response(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n").unwrap().unwrap();
        assert_eq!((status, head.framing, head.keep_alive), (200, Framing::Length(12), false));
        let (_, head) =
            response(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n")
                .unwrap()
                .unwrap();
        assert_eq!((head.framing, head.keep_alive), (Framing::Chunked, true));
        assert_eq!(response(b"HTTP/1.1 200 OK\r\nContent-").unwrap(), None);
        let (to, head) =
            request(b"GET /count HTTP/1.1\r\nhost: x\r\n\r\n", |m, p| format!("{m} {p}")).unwrap().unwrap();
        assert_eq!((to.as_str(), head.framing), ("GET /count", Framing::Length(0)));
    }
}
