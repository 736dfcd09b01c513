//! A socket whose other side has to read what it is sent.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Connection;

/// A socket on which a write that makes no progress for a time ends the connection: an answer that nobody reads would
/// stay in memory for ever. What is cut off keeps nothing in the system's memory either.
pub(crate) struct Patient {
    io: TokioIo<TcpStream>,
    connection: Arc<Connection>,
    patience: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Patient {
    pub(crate) fn new(stream: TcpStream, connection: Arc<Connection>, patience: Duration) -> Self {
        Self { io: TokioIo::new(stream), connection, patience, alarm: None, waiting: false }
    }

    fn or_late<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = false;
            return written;
        }
        let alarm = match &mut self.alarm {
            Some(alarm) if self.waiting => alarm,
            alarm => {
                let deadline = Instant::now() + self.patience;
                let alarm = alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
                alarm.as_mut().reset(deadline);
                self.waiting = true;
                alarm
            }
        };
        alarm.as_mut().poll(cx).map(|()| {
            self.connection.cut();
            Err(io::ErrorKind::TimedOut.into())
        })
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        if self.connection.is_cut() {
            // else the system would go on offering what nobody reads
            _ = socket2::SockRef::from(self.io.inner()).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Read for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.or_late(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.or_late(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
