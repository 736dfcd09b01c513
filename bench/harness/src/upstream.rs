//! A mock OpenAI-compatible upstream. It keeps count of what it served, so that a ledger can be checked against it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{Buf, BytesMut};
use serde::{Deserialize, de::IgnoredAny};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket, TcpStream},
};

use crate::{
    answers::{self, Answers},
    http1::{self, Chunked, Framing, Head, HttpError},
};

#[derive(clap::Args, Clone)]
pub struct Args {
    /// Address to listen on; port 0 takes a free one. It is printed once the upstream listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Wait before answering, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub delay_ms: u64,
    /// Pieces of text in a streamed answer; each is written on its own.
    #[arg(long, default_value_t = 20)]
    pub chunks: usize,
    /// Wait before each piece, in microseconds. Below 1000 it is waited for by spinning, which costs a core.
    #[arg(long, default_value_t = 0)]
    pub chunk_gap_us: u64,
}

/// What was served so far; `GET /count` tells.
#[derive(Default)]
struct Count {
    /// Requests read in full and understood; each is one call that a gateway has to account for.
    chat: AtomicU64,
    streams: AtomicU64,
    embeddings: AtomicU64,
    /// Calls whose answer could not be written to its end, because the client went away.
    aborted: AtomicU64,
    /// Requests refused, and bytes that were no request.
    refused: AtomicU64,
}

impl Count {
    fn answer(&self) -> String {
        let (chat, streams, embeddings) =
            (self.chat.load(Relaxed), self.streams.load(Relaxed), self.embeddings.load(Relaxed));
        let body = serde_json::json!({
            "calls": chat + streams + embeddings, "chat": chat, "streams": streams, "embeddings": embeddings,
            "aborted": self.aborted.load(Relaxed), "refused": self.refused.load(Relaxed),
        });
        answers::json_answer("200 OK", &body.to_string())
    }
}

struct Upstream {
    args: Args,
    answers: Answers,
    count: Count,
}

/// Serves until SIGINT or SIGTERM.
pub fn run(args: &Args) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen(args.listen)?;
        println!("listening on {}", listener.local_addr()?);
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            outcome = serve(listener, args.clone()) => outcome,
            _ = terminate.recv() => Ok(()),
            outcome = tokio::signal::ctrl_c() => outcome,
        }
    })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    // Hundreds of connections open at the same moment.
    socket.listen(1024)
}

pub async fn serve(listener: TcpListener, args: Args) -> std::io::Result<()> {
    let answers = Answers::new(args.chunks);
    let upstream = Arc::new(Upstream { args, answers, count: Count::default() });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let upstream = Arc::clone(&upstream);
        tokio::spawn(async move {
            // A client that closes between two requests is the usual end of a connection.
            if let Err(HttpError::Head(_) | HttpError::Malformed(_)) = connection(&upstream, stream).await {
                upstream.count.refused.fetch_add(1, Relaxed);
            }
        });
    }
}

#[derive(Clone, Copy)]
enum Route {
    Chat,
    Embeddings,
    Models,
    Count,
    Unknown,
}

fn route(method: &str, path: &str) -> Route {
    match (method, path) {
        ("POST", "/v1/chat/completions") => Route::Chat,
        ("POST", "/v1/embeddings") => Route::Embeddings,
        ("GET", "/v1/models") => Route::Models,
        ("GET", "/count") => Route::Count,
        _ => Route::Unknown,
    }
}

async fn connection(upstream: &Upstream, mut stream: TcpStream) -> Result<(), HttpError> {
    let (mut buf, mut body, mut out) = (BytesMut::new(), Vec::new(), Vec::new());
    loop {
        let (to, head) = loop {
            match http1::request(&buf, route)? {
                Some(found) => break found,
                None => http1::fill(&mut stream, &mut buf, false).await?,
            }
        };
        buf.advance(head.len);
        read_body(&mut stream, &mut buf, &mut body, &head).await?;
        out.clear();
        match to {
            Route::Chat => chat(upstream, &mut stream, &body, &mut out).await?,
            Route::Embeddings => embeddings(upstream, &body, &mut out),
            Route::Models => upstream.answers.models.write(0, &mut out),
            Route::Count => out.extend_from_slice(upstream.count.answer().as_bytes()),
            Route::Unknown => {
                upstream.count.refused.fetch_add(1, Relaxed);
                out.extend_from_slice(answers::error("404 Not Found", "no such route").as_bytes());
            }
        }
        if let Err(error) = stream.write_all(&out).await {
            if matches!(to, Route::Chat | Route::Embeddings) {
                upstream.count.aborted.fetch_add(1, Relaxed);
            }
            return Err(error.into());
        }
        if !head.keep_alive {
            return Ok(());
        }
    }
}

async fn read_body(
    stream: &mut TcpStream,
    buf: &mut BytesMut,
    body: &mut Vec<u8>,
    head: &Head,
) -> Result<(), HttpError> {
    body.clear();
    if head.expects_continue {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    match head.framing {
        Framing::Length(length) => {
            buf.reserve(length.saturating_sub(buf.len()));
            while buf.len() < length {
                http1::fill(stream, buf, true).await?;
            }
            body.extend_from_slice(&buf[..length]);
            buf.advance(length);
        }
        Framing::Chunked => {
            let mut decoder = Chunked::default();
            while !decoder.feed(buf, body)? {
                http1::fill(stream, buf, true).await?;
            }
        }
        Framing::UntilClose => return Err(HttpError::Malformed("request without a length")),
    }
    Ok(())
}

/// The fields of a request that change the answer.
#[derive(Deserialize)]
struct Ask {
    #[serde(rename = "messages")]
    _messages: IgnoredAny,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// Leaves in `out` what remains to be written.
async fn chat(
    upstream: &Upstream,
    stream: &mut TcpStream,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), HttpError> {
    let ask: Ask = match serde_json::from_slice(body) {
        Ok(ask) => ask,
        Err(error) => {
            upstream.count.refused.fetch_add(1, Relaxed);
            out.extend_from_slice(answers::error("400 Bad Request", &error.to_string()).as_bytes());
            return Ok(());
        }
    };
    let streamed = ask.stream == Some(true);
    let counter = if streamed { &upstream.count.streams } else { &upstream.count.chat };
    let id = counter.fetch_add(1, Relaxed);
    if upstream.args.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(upstream.args.delay_ms)).await;
    }
    if !streamed {
        upstream.answers.chat.write(id, out);
        return Ok(());
    }
    let usage = ask.stream_options.is_some_and(|options| options.include_usage);
    let sent = send_stream(upstream, stream, usage, id, out).await;
    if sent.is_err() {
        upstream.count.aborted.fetch_add(1, Relaxed);
    }
    Ok(sent?)
}

async fn send_stream(
    upstream: &Upstream,
    stream: &mut TcpStream,
    usage: bool,
    id: u64,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let answers = &upstream.answers;
    answers.stream_start.write(id, out);
    stream.write_all(out).await?;
    for piece in answers.stream_pieces.iter().chain(usage.then_some(&answers.stream_usage)) {
        gap(upstream.args.chunk_gap_us).await;
        out.clear();
        piece.write(id, out);
        stream.write_all(out).await?;
    }
    out.clear();
    answers.stream_end.write(id, out);
    Ok(())
}

async fn gap(micros: u64) {
    let gap = Duration::from_micros(micros);
    match micros {
        0 => {}
        // The runtime's timer counts in milliseconds.
        1..1000 => {
            let start = std::time::Instant::now();
            while start.elapsed() < gap {
                tokio::task::yield_now().await;
            }
        }
        _ => tokio::time::sleep(gap).await,
    }
}

#[derive(Deserialize)]
struct EmbeddingsAsk {
    input: Input,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Many(Vec<IgnoredAny>),
    One(IgnoredAny),
}

fn embeddings(upstream: &Upstream, body: &[u8], out: &mut Vec<u8>) {
    let answer = match serde_json::from_slice::<EmbeddingsAsk>(body) {
        Ok(ask) => {
            upstream.count.embeddings.fetch_add(1, Relaxed);
            answers::embeddings(match ask.input {
                Input::Many(inputs) => inputs.len(),
                Input::One(_) => 1,
            })
        }
        Err(error) => {
            upstream.count.refused.fetch_add(1, Relaxed);
            answers::error("400 Bad Request", &error.to_string())
        }
    };
    out.extend_from_slice(answer.as_bytes());
}
