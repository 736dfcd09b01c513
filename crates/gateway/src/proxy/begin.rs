//! Reads the beginning of a response, as far as it takes to know whether it is an error.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use loam_http::client::Body;
use loam_kernel::Error;
use loam_providers::{Forward, Reader, ReportedError, holds_event};

use super::failure::interrupted;

/// How long the client waits for the first event of a provider that so far sends only comments, to keep the connection
/// alive. Longer, and the client's own connection might be given up for idle.
const COMMENTS_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes held back at most.
const MAX_HELD_BACK: usize = 64 << 10;

/// How a response that is labelled as a stream begins.
pub(super) enum Beginning {
    /// A stream, with what can be forwarded so far.
    Stream(Forward),
    /// An error as the first event.
    Error(ReportedError),
    /// JSON, and no stream.
    Complete(Bytes),
}

/// Reads a stream to its first event, and no further: so long another target can answer instead.
pub(super) async fn begin(
    body: &mut Body,
    timeout: Duration,
    reader: &mut dyn Reader,
) -> Result<Beginning, String> {
    let mut held_back = Bytes::new();
    let has_ended = loop {
        let timeout = if held_back.is_empty() { timeout } else { timeout.min(COMMENTS_TIMEOUT) };
        let Ok(chunk) = tokio::time::timeout(timeout, next_chunk(body)).await else {
            match held_back.is_empty() {
                true => return Err(late(timeout)),
                false => break false,
            }
        };
        let Some(chunk) = chunk? else { break true };
        held_back = join(held_back, chunk);
        if holds_event(&held_back) || held_back.len() > MAX_HELD_BACK {
            break false;
        }
    };
    if has_ended && held_back.trim_ascii_start().starts_with(b"{") {
        return Ok(Beginning::Complete(held_back));
    }
    let mut forward = reader.push(held_back);
    if has_ended && forward.last.is_none() {
        forward.now = join(forward.now, reader.finish());
    }
    match reader.failure() {
        Some(error) => Ok(Beginning::Error(error.clone())),
        None if has_ended && !reader.is_complete() => {
            Err("it ended its stream before the response was complete".to_owned())
        }
        None => Ok(Beginning::Stream(forward)),
    }
}

/// Why nothing was read.
pub(super) fn late(timeout: Duration) -> String {
    format!("no data within {timeout:?}")
}

fn join(first: Bytes, rest: Bytes) -> Bytes {
    match (first.is_empty(), rest.is_empty()) {
        (true, _) => rest,
        (_, true) => first,
        _ => [first, rest].concat().into(),
    }
}

/// The next chunk of a body that isn't empty; none at its end.
pub(super) async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, String> {
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|e| e.to_string())?.into_data().unwrap_or_default();
        if !data.is_empty() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Reads a complete body, of at most `max` bytes, which has to start within `timeout`.
pub(super) async fn read_body(mut body: Body, timeout: Duration, max: usize) -> Result<Bytes, String> {
    let first = tokio::time::timeout(timeout, next_chunk(&mut body)).await;
    let first = first.unwrap_or_else(|_| Err(late(timeout)))?.unwrap_or_default();
    if first.len() > max {
        return Err("it exceeds the maximum size".to_owned());
    }
    let rest = collect(body, max - first.len()).await.map_err(|e| e.to_string())?;
    // most bodies arrive in one chunk
    Ok(join(first, rest))
}

/// Reads a complete body, of at most `max` bytes.
pub(super) async fn read_all(provider: &str, body: Body, max: usize) -> Result<Bytes, Error> {
    collect(body, max).await.map_err(|e| interrupted(provider, &e.to_string()).with_source(e))
}

async fn collect(body: Body, max: usize) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    Limited::new(body, max).collect().await.map(http_body_util::Collected::to_bytes)
}
