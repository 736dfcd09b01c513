//! Serving connections: a single-threaded runtime for each processor, each with its own listener on the same address.
//!
//! The kernel distributes connections over the listeners, and a connection stays on its thread: no work moves between
//! threads on the hot path of a call.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use loam_conversation::Conversation;
use loam_gateway::Proxy;
use loam_journal::Journal;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::ServerConfig;
use crate::connections::{ConnectionGuard, Registry, WriteTimeout};
use crate::memory;
use crate::services::Services;
use crate::surface::Edge;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// Pause before accepting again when the system has no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections that are accepted before existing ones are served. A flood of new ones must neither delay the others nor
/// displace one whose request has arrived but has not been read.
const ACCEPT_BATCH: usize = 16;

/// Size of a read, of the head of a request, and of the unsent part of a response: it bounds the memory of a connection,
/// whatever the peer does.
const BUFFER: usize = 32 << 10;
/// Maximum number of headers of a request.
const MAX_HEADERS: usize = 100;

/// How much longer than turns connections may take to end: they report how the turns ended.
const CONNECTION_GRACE: Duration = Duration::from_secs(1);

/// The listeners, bound but not yet accepting.
pub(crate) struct Listeners {
    pub(crate) address: SocketAddr,
    sockets: Vec<TcpListener>,
}

/// The threads that serve.
pub(crate) struct Workers(Vec<JoinHandle<()>>);

impl Listeners {
    /// Binds an address for so many threads.
    pub(crate) fn bind(address: SocketAddr, workers: usize) -> Result<Self> {
        // the address is shared only by our own threads: another running server must be detected
        let probe = socket(address, false).and_then(|socket| socket.local_addr().map(|_| socket));
        let probe = probe.with_context(|| format!("cannot listen on {address}"))?;
        let address = probe.local_addr()?.as_socket().context("an internet address")?;
        drop(probe);
        let sockets = (0..workers.max(1)).map(|_| {
            let socket = socket(address, true)?;
            socket.listen(BACKLOG)?;
            Ok(TcpListener::from(socket))
        });
        let sockets =
            sockets.collect::<std::io::Result<_>>().with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self { address, sockets })
    }

    /// Starts accepting, on a thread for each listener.
    pub(crate) fn serve(
        self,
        services: &Services,
        config: &ServerConfig,
        connections: &Registry,
        stop: &CancellationToken,
    ) -> Result<Workers> {
        let threads = self.sockets.into_iter().enumerate().map(|(i, socket)| {
            let worker = Worker {
                edge: services.edge.clone(),
                journal: services.journal.clone(),
                proxy: services.proxy().clone(),
                conversation: services.conversation().clone(),
                config: config.clone(),
                stop: stop.clone(),
                connections: connections.clone(),
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new()
                .name(format!("worker-{i}"))
                .spawn(move || runtime.block_on(worker.run(socket)))
        });
        Ok(Workers(threads.collect::<std::io::Result<_>>()?))
    }
}

impl Workers {
    /// Waits until every thread has ended; blocking.
    pub(crate) fn join(self) {
        for thread in self.0 {
            _ = thread.join();
        }
    }
}

fn socket(address: SocketAddr, shared: bool) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

struct Worker {
    edge: Edge,
    journal: Journal,
    proxy: Proxy,
    conversation: Conversation,
    config: ServerConfig,
    stop: CancellationToken,
    connections: Registry,
}

impl Worker {
    async fn run(self, socket: TcpListener) {
        if let Err(e) = self.journal.attach_runtime() {
            tracing::warn!(error = %e, "this thread uses slower wake-ups from the journal");
        }
        let listener = match tokio::net::TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(e) => return tracing::error!(error = %e, "cannot serve on this thread"),
        };
        let open = TaskTracker::new();
        open.spawn(memory::give_back(self.stop.clone()));
        let mut accepted = 0_usize;
        while let Some(Some(permit)) = self.stop.run_until_cancelled(self.connections.reserve()).await {
            match self.stop.run_until_cancelled(listener.accept()).await {
                Some(Ok((stream, peer))) => {
                    if let Some(guard) = self.connections.admit(peer.ip(), permit) {
                        open.spawn(self.connection(stream, guard, peer));
                    }
                    accepted = accepted.wrapping_add(1);
                    if accepted.is_multiple_of(ACCEPT_BATCH) {
                        tokio::task::yield_now().await;
                    }
                }
                Some(Err(e)) => {
                    tracing::warn!(error = %e, "cannot accept a connection");
                    self.connections.close_idle();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                None => break,
            }
        }
        drop(listener);
        open.close();
        let timeout = Duration::from_secs(self.config.shutdown_timeout);
        let deadline = Instant::now() + timeout + CONNECTION_GRACE;
        // turns run on this thread with or without a client; clients are notified of their ends
        let (ended, ()) = tokio::join!(
            tokio::time::timeout_at(deadline, open.wait()),
            self.conversation.finish_turns(timeout)
        );
        if ended.is_err() {
            tracing::warn!(connections = open.len(), "closing connections that did not end in time");
        }
        // calls whose client has disconnected run on this thread too, and end with it
        if tokio::time::timeout_at(deadline, self.proxy.finish_calls()).await.is_err() {
            tracing::warn!(
                calls = self.proxy.open_calls(),
                "stopping with calls under way; they are marked at the next start"
            );
        }
    }

    fn connection(
        &self,
        stream: TcpStream,
        guard: ConnectionGuard,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (edge, stop) = (self.edge.clone(), self.stop.clone());
        let timeout = Duration::from_secs(self.config.read_timeout);
        async move {
            let connection = guard.connection.clone();
            // a connection that never sends anything gets no buffers
            let begun = tokio::select! {
                begun = tokio::time::timeout(timeout, stream.readable()) => matches!(begun, Ok(Ok(()))),
                () = connection.closed() => false,
                () = stop.cancelled() => false,
            };
            if begun {
                Box::pin(talk(stream, guard, peer, (edge, stop, timeout))).await;
            }
        }
    }
}

/// Serves the requests of a connection, one after the other.
async fn talk(
    stream: TcpStream,
    guard: ConnectionGuard,
    peer: SocketAddr,
    (edge, stop, timeout): (Edge, CancellationToken, Duration),
) {
    // a chunk of a stream must not wait for the acknowledgement of the previous one (TCP_NODELAY)
    _ = stream.set_nodelay(true);
    let guard = &guard.connection;
    let service = service_fn(|request| {
        let (edge, connection) = (edge.clone(), guard.clone());
        connection.begin();
        async move {
            let answer = edge.serve(request, connection.clone(), peer.ip()).await?;
            Ok::<_, Infallible>(answer.map(|body| connection.respond(body)))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(BUFFER)
        .max_headers(MAX_HEADERS)
        .serve_connection(WriteTimeout::new(stream, guard.clone(), timeout), service);
    let mut connection = std::pin::pin!(connection);
    let asked_to_end = async {
        tokio::select! {
            () = stop.cancelled() => {}
            () = guard.closed() => {}
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = asked_to_end => {
            // running requests are completed; unauthenticated connections get no more time
            let may_finish = guard.is_authenticated() || (stop.is_cancelled() && guard.is_busy());
            if !may_finish {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = ended {
        tracing::debug!(error = %e, peer = %peer, "a connection ended with an error");
    }
}
