//! Opening a connection: resolve, check, connect, TLS. The address that was checked is the one connected to.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::client::TlsStream;

use super::connection::LiveConnection;
use super::request::Target;
use super::tls::Tls;
use super::{Guard, SendError};

/// How long one address may keep the next one waiting (RFC 8305 recommends 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// Opens a connection to the target.
pub(super) async fn open(
    target: &Target,
    guard: &Guard,
    tls: &Tls,
) -> Result<Box<LiveConnection>, SendError> {
    let addresses = resolve((&target.host, target.port), guard).await?;
    let connect_error = |source| SendError::Connect { host: target.host.clone(), source };
    let tcp = connect(addresses).await.map_err(connect_error)?;
    // A request is written in one go: waiting to fill a packet only costs time.
    tcp.set_nodelay(true).map_err(connect_error)?;
    metrics::counter!("loam_outgoing_connections_total").increment(1);
    let stream = if target.key.https {
        let secure = tls.handshake(&target.host, tcp).await;
        Stream::Tls(Box::new(secure.map_err(|source| SendError::Tls { host: target.host.clone(), source })?))
    } else {
        Stream::Plain(tcp)
    };
    LiveConnection::start(stream).await
}

/// The permitted addresses of a host. Names are resolved only here.
pub(super) async fn resolve((host, port): (&str, u16), guard: &Guard) -> Result<Vec<SocketAddr>, SendError> {
    let dns_error = |source| SendError::Dns { host: host.to_owned(), source };
    let found = lookup_host((host, port)).await.map_err(dns_error)?;
    let mut permitted = Vec::new();
    let mut refusal = None;
    for address in found {
        match guard.permit(address.ip()) {
            Ok(()) => permitted.push(address),
            Err(reason) => refusal = refusal.or(Some((address.ip(), reason))),
        }
    }
    if let Some((address, reason)) = refusal {
        metrics::counter!("loam_outgoing_refusals_total").increment(1);
        if permitted.is_empty() {
            return Err(SendError::Refused { host: host.to_owned(), address, reason });
        }
    }
    if permitted.is_empty() {
        return Err(dns_error(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(permitted)
}

/// Connects to the first address that accepts; each gets a head start before the next one is tried (RFC 8305).
async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = interleave(addresses).into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(TcpStream::connect(address));
        } else if attempts.is_empty() {
            return Err(failed);
        }
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            },
            () = tokio::time::sleep(HEAD_START), if waiting.len() > 0 => {}
        }
    }
}

/// Alternates between the address families, beginning with the resolver's first: one family may be unreachable.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|one| one.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::with_capacity(first.len() + second.len());
    while first.len() + second.len() > 0 {
        mixed.extend(first.next());
        mixed.extend(second.next());
    }
    mixed
}

/// The bytes under HTTP.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! inner {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream.get_mut() {
            Stream::Plain($inner) => {
                let $inner = Pin::new($inner);
                $call
            }
            Stream::Tls($inner) => {
                let $inner = Pin::new($inner);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        inner!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        inner!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_shutdown(cx))
    }
}
