//! Serving connections: a runtime of one thread for each processor, each with a listener of its own on the same address.
//!
//! The kernel spreads connections over the listeners, and a connection stays on its thread: no work moves between
//! threads on the path of a call.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use loam_conversation::Conversation;
use loam_gateway::Gateway;
use loam_journal::Journal;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::ServerConfig;
use crate::memory;
use crate::services::Services;
use crate::surface::Edge;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// How long to wait before accepting again when the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How much longer connections have than turns: they tell how those ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

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
        // sharing the address is only for our own threads: a server that is there already must be noticed
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
        stop: &CancellationToken,
    ) -> Result<Workers> {
        let room = Arc::new(Semaphore::new(config.max_connections));
        let threads = self.sockets.into_iter().enumerate().map(|(i, socket)| {
            let worker = Worker {
                edge: services.edge.clone(),
                journal: services.journal.clone(),
                gateway: services.gateway().clone(),
                conversation: services.conversation().clone(),
                config: config.clone(),
                stop: stop.clone(),
                room: room.clone(),
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
    gateway: Gateway,
    conversation: Conversation,
    config: ServerConfig,
    stop: CancellationToken,
    room: Arc<Semaphore>,
}

impl Worker {
    async fn run(self, socket: TcpListener) {
        if let Err(e) = self.journal.attach_runtime() {
            tracing::warn!(error = %e, "this thread waits for the journal the slower way");
        }
        let listener = match tokio::net::TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(e) => return tracing::error!(error = %e, "cannot serve on this thread"),
        };
        let open = TaskTracker::new();
        open.spawn(memory::give_back(self.stop.clone()));
        while let Some(Ok(room)) = self.stop.run_until_cancelled(self.room.clone().acquire_owned()).await {
            match self.stop.run_until_cancelled(listener.accept()).await {
                Some(Ok((stream, peer))) => {
                    let connection = self.connection(stream, peer);
                    open.spawn(async move {
                        connection.await;
                        drop(room);
                    });
                }
                Some(Err(e)) => {
                    tracing::warn!(error = %e, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                None => break,
            }
        }
        drop(listener);
        open.close();
        let patience = Duration::from_secs(self.config.shutdown_timeout);
        // turns run on this thread whether or not somebody listens; who does is told how they end
        let (ended, ()) = tokio::join!(
            tokio::time::timeout(patience + LAST_WORDS, open.wait()),
            self.conversation.finish_turns(patience)
        );
        if ended.is_err() {
            tracing::warn!(connections = open.len(), "closing connections that did not end in time");
        }
        // calls whose client hung up run on this thread too, and end with it
        if tokio::time::timeout(patience, self.gateway.finish_calls()).await.is_err() {
            tracing::warn!(
                calls = self.gateway.open_calls(),
                "stopping with calls under way; they are marked at the next start"
            );
        }
    }

    fn connection(
        &self,
        stream: tokio::net::TcpStream,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + Send + use<> {
        // a token of a stream must not wait for the acknowledgement of the one before
        _ = stream.set_nodelay(true);
        let edge = self.edge.clone();
        let service = service_fn(move |request| edge.clone().serve(request, peer));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(self.config.read_timeout))
            .serve_connection(TokioIo::new(stream), service);
        let stop = self.stop.clone();
        async move {
            let mut connection = std::pin::pin!(connection);
            let ended = match stop.run_until_cancelled(connection.as_mut()).await {
                Some(ended) => ended,
                None => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(e) = ended {
                tracing::debug!(error = %e, peer = %peer, "a connection ended with an error");
            }
        }
    }
}
