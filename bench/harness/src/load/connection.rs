//! One keep-alive connection of the load.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Barrier};

use super::{Run, Window, answer, requests::Requests};
use crate::http1::HttpError;

/// Wait before connecting again after an error, so that a dead server is not hammered.
const RECONNECT: Duration = Duration::from_millis(20);

/// Sends the requests in turn until the run is over.
pub async fn run(run: &Run, ready: &Barrier, mut requests: Requests) {
    let mut open = connect(run).await;
    ready.wait().await;
    let window = run.window();
    while run.next(window) {
        let Some(connection) = &mut open else {
            tokio::time::sleep(RECONNECT).await;
            open = connect(run).await;
            continue;
        };
        let request = requests.next();
        let begun = Instant::now();
        let outcome = connection.exchange(run, request).await;
        record(run, window, begun, connection.body.len(), &outcome);
        match outcome {
            Ok(Done { keep_alive: true, .. }) => {}
            Ok(_) => open = connect(run).await,
            Err(_) => open = None,
        }
    }
}

fn record(run: &Run, window: Window, begun: Instant, body: usize, outcome: &Result<Done, String>) {
    let ended = Instant::now();
    let mut stats = run.stats();
    stats.bytes_in += body as u64;
    match outcome {
        Ok(done) => {
            stats.completed += 1;
            if ended >= window.start && window.end.is_none_or(|end| ended < end) {
                stats.measure(ended - begun, done.first_byte.map(|at| at - begun));
            }
        }
        Err(kind) => stats.fail(kind.clone()),
    }
}

async fn connect(run: &Run) -> Option<Connection> {
    let connected = async {
        let stream = TcpStream::connect(&run.target.authority).await?;
        stream.set_nodelay(true)?;
        Ok::<_, std::io::Error>(stream)
    };
    match connected.await {
        Ok(stream) => Some(Connection { stream, buf: BytesMut::new(), body: Vec::new() }),
        Err(error) => {
            run.stats().fail(format!("connect: {}", error.kind()));
            None
        }
    }
}

struct Connection {
    stream: TcpStream,
    buf: BytesMut,
    /// The last answer's body.
    body: Vec<u8>,
}

struct Done {
    first_byte: Option<Instant>,
    keep_alive: bool,
}

impl Connection {
    /// One request and its answer. The error is what was wrong, in words that repeat.
    async fn exchange(&mut self, run: &Run, request: &[u8]) -> Result<Done, String> {
        self.body.clear();
        self.stream.write_all(request).await.map_err(|error| format!("write: {}", error.kind()))?;
        {
            let mut stats = run.stats();
            stats.sent += 1;
            stats.bytes_out += request.len() as u64;
        }
        let read = answer::read(&mut self.stream, &mut self.buf, &mut self.body, run.stream).await;
        let read = read.map_err(|error| match error {
            HttpError::Io(error) => format!("read: {}", error.kind()),
            other => other.to_string(),
        })?;
        if run.completions {
            answer::check(read.status, &self.body, run.stream, &run.expect)?;
        } else {
            answer::check_any(read.status, &self.body, &run.expect)?;
        }
        Ok(Done { first_byte: read.first_byte, keep_alive: read.keep_alive })
    }
}
