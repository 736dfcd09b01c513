//! Cutting a stream of bytes into lines.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use loam_kernel::{Error, Kind, Result};
use tokio::time::{Instant, timeout};

/// Bytes of a line: content parts of 8 MiB, and what is around them.
const MAX_LINE: usize = 10 << 20;

/// How long a file may keep an import waiting, beside the time that its bytes give it.
const GRACE: Duration = Duration::from_secs(30);
/// Bytes a second that give it more.
const SLOWEST: f64 = 4096.0;

/// How long the client lets the import wait. What the import itself takes is not counted.
#[derive(Default)]
struct Pace {
    waited: Duration,
    came: usize,
}

impl Pace {
    /// Waits for what comes next, but not for one who sends by the drop, as an import holds a place that others want.
    async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T> {
        let earned = GRACE + Duration::from_secs_f64(self.came as f64 / SLOWEST);
        let began = Instant::now();
        let next = timeout(earned.saturating_sub(self.waited), next).await;
        self.waited += began.elapsed();
        next.map_err(|_| {
            let message = format!("the file comes too slowly: send it at {SLOWEST} bytes a second at least");
            Error::new(Kind::Invalid, "import_too_slow", message).with_status(408)
        })
    }

    fn came(&mut self, bytes: usize) {
        self.came += bytes;
    }
}

/// Lines with their numbers, from 1; empty ones are counted and left out.
pub(super) struct Lines<S> {
    chunks: S,
    buffer: BytesMut,
    /// Bytes of the buffer that hold no end of a line.
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

    /// The next line; none behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<(u64, Bytes)>> {
        while let Some(line) = self.next_of_any().await? {
            self.number += 1;
            if !line.trim_ascii().is_empty() {
                return Ok(Some((self.number, line)));
            }
        }
        Ok(None)
    }

    async fn next_of_any(&mut self) -> Result<Option<Bytes>> {
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
                    self.pace.came(chunk.len());
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
    async fn lines_are_the_same_however_they_arrive() {
        let text = "one\n\ntwo\r\n  \nthree";
        let wanted: Vec<_> = [(1, "one"), (3, "two"), (5, "three")].map(|(n, l)| (n, l.to_owned())).into();
        assert_eq!(lines(&[text]).await, wanted);
        for at in 1..text.len() {
            assert_eq!(lines(&[&text[..at], &text[at..]]).await, wanted, "cut at {at}");
        }
        assert_eq!(lines(&[]).await, []);
        assert_eq!(lines(&["\n", "\n"]).await, []);
    }

    #[tokio::test]
    async fn a_file_that_drips_is_given_up_and_a_slow_one_is_not() {
        let mut pace = Pace { waited: GRACE, came: 0 };
        let error = pace.wait(std::future::pending::<()>()).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (408, "import_too_slow"));
        // two minutes for a megabyte are within what its bytes gave it
        let mut pace = Pace { waited: Duration::from_secs(120), came: 1 << 20 };
        assert!(pace.wait(std::future::ready(())).await.is_ok());
        let earned = timeout(Duration::from_millis(20), pace.wait(std::future::pending::<()>())).await;
        assert!(earned.is_err(), "it may wait longer");
    }

    #[tokio::test]
    async fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let chunk = Bytes::from(vec![b'x'; 1 << 20]);
        let endless = futures_util::stream::repeat_with(move || Ok(chunk.clone()));
        let error = Lines::new(endless).next().await.unwrap_err();
        assert_eq!((error.status(), error.code()), (413, "line_too_long"));
    }
}
