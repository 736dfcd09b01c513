//! A socket with a timeout for writes.

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

/// A socket on which a write without progress within the timeout ends the connection: a response that the client doesn't
/// read would stay in memory forever. The socket is then reset, so that nothing stays in kernel memory either.
pub(crate) struct WriteTimeout {
    io: TokioIo<TcpStream>,
    connection: Arc<Connection>,
    timeout: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl WriteTimeout {
    pub(crate) fn new(stream: TcpStream, connection: Arc<Connection>, timeout: Duration) -> Self {
        Self { io: TokioIo::new(stream), connection, timeout, alarm: None, waiting: false }
    }

    fn or_timeout<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = false;
            return written;
        }
        let alarm = match &mut self.alarm {
            Some(alarm) if self.waiting => alarm,
            alarm => {
                let deadline = Instant::now() + self.timeout;
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

impl Drop for WriteTimeout {
    fn drop(&mut self) {
        if self.connection.is_cut() {
            // otherwise the kernel would keep retransmitting unread data
            _ = socket2::SockRef::from(self.io.inner()).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Read for WriteTimeout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for WriteTimeout {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.or_timeout(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.or_timeout(cx, written)
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
