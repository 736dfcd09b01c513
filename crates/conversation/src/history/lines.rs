//! Splits a stream of bytes into lines.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use loam_kernel::{Error, Kind, Result};
use tokio::time::{Instant, timeout};

/// Maximum length of a line in bytes: content parts of 8 MiB and the other fields.
const MAX_LINE: usize = 10 << 20;

/// How long an import may wait for its client, in addition to the time that the received bytes allow.
const GRACE: Duration = Duration::from_secs(30);
/// Slowest accepted rate, in bytes per second.
const SLOWEST: f64 = 4096.0;

/// How long the import has waited for its client. The time that the import itself takes is not counted.
#[derive(Default)]
struct Pace {
    waited: Duration,
    received: usize,
}

impl Pace {
    /// Waits for the next chunk. A client that sends too slowly times out, because the import occupies a slot
    /// that others need.
    async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T> {
        let allowed = GRACE + Duration::from_secs_f64(self.received as f64 / SLOWEST);
        let began = Instant::now();
        let next = timeout(allowed.saturating_sub(self.waited), next).await;
        self.waited += began.elapsed();
        next.map_err(|_| {
            let message = format!("the file arrives too slowly; send at least {SLOWEST} bytes per second");
            Error::new(Kind::Invalid, "import_too_slow", message).with_status(408)
        })
    }

    fn received(&mut self, bytes: usize) {
        self.received += bytes;
    }
}

/// Lines with their numbers, from 1. Empty lines are counted and skipped.
pub(super) struct Lines<S> {
    chunks: S,
    buffer: BytesMut,
    /// Number of bytes at the start of the buffer that contain no line break.
    scanned: usize,
    number: u64,
    ended: bool,
    pace: Pace,
}

impl<S: Stream<Item = Result<Bytes>> + Unpin> Lines<S> {
    pub(super) fn new(chunks: S) -> Self {
        Self { chunks, buffer: BytesMut::new(), scanned: 0, number: 0, ended: false, pace: Pace::default() }
    }

    /// The number of the last line read.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<(u64, Bytes)>> {
        while let Some(line) = self.next_raw().await? {
            self.number += 1;
            if !line.trim_ascii().is_empty() {
                return Ok(Some((self.number, line)));
            }
        }
        Ok(None)
    }

    async fn next_raw(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(end) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.scanned + end + 1);
                self.scanned = 0;
                return Ok(Some(line.freeze()));
            }
            self.scanned = self.buffer.len();
            if self.scanned > MAX_LINE {
                let message = format!("line {}: must be at most {MAX_LINE} bytes long", self.number + 1);
                return Err(Error::new(Kind::TooLarge, "line_too_long", message));
            }
            if self.ended {
                self.scanned = 0;
                return Ok(Some(self.buffer.split().freeze()).filter(|line| !line.is_empty()));
            }
            match self.pace.wait(self.chunks.next()).await? {
                Some(chunk) => {
                    let chunk = chunk?;
                    self.pace.received(chunk.len());
                    self.buffer.extend_from_slice(&chunk);
                }
                None => self.ended = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(chunks: &[&str]) -> Vec<(u64, String)> {
        let chunks: Vec<Result<Bytes>> =
            chunks.iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk.as_bytes()))).collect();
        let mut lines = Lines::new(futures_util::stream::iter(chunks));
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().await.unwrap() {
            found.push((number, String::from_utf8(line.trim_ascii().to_vec()).unwrap()));
        }
        found
    }

    #[tokio::test]
    async fn lines_do_not_depend_on_chunk_boundaries() {
        let text = "one\n\ntwo\r\n  \nthree";
        let expected: Vec<_> = [(1, "one"), (3, "two"), (5, "three")].map(|(n, l)| (n, l.to_owned())).into();
        assert_eq!(lines(&[text]).await, expected);
        for at in 1..text.len() {
            assert_eq!(lines(&[&text[..at], &text[at..]]).await, expected, "cut at {at}");
        }
        assert_eq!(lines(&[]).await, []);
        assert_eq!(lines(&["\n", "\n"]).await, []);
    }

    #[tokio::test]
    async fn a_stalled_upload_times_out_and_a_slow_one_does_not() {
        let mut pace = Pace { waited: GRACE, received: 0 };
        let error = pace.wait(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (408, "import_too_slow"));
        // Two minutes for a megabyte are within what the received bytes allow.
        let mut pace = Pace { waited: Duration::from_secs(120), received: 1 << 20 };
        assert!(pace.wait(std::future::ready(())).await.is_ok());
        let allowed = timeout(Duration::from_millis(20), pace.wait(std::future::pending::<()>())).await;
        assert!(allowed.is_err(), "it still waits");
    }

    #[tokio::test]
    async fn an_endless_line_is_rejected() {
        let chunk = Bytes::from(vec![b'x'; 1 << 20]);
        let endless = futures_util::stream::repeat_with(move || Ok(chunk.clone()));
        let error = Lines::new(endless).next().await.unwrap_err();
        assert_eq!((error.status(), error.code()), (413, "line_too_long"));
    }
}
