//! `loam serve`: from the configuration to a server that runs until it is told to stop.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::connections::{Descriptors, Registry, raise_limit};
use crate::listen::Listeners;
use crate::memory;
use crate::services::Services;

/// Threads for work that is not on the hot path: jobs, the drainer, statements.
const BACKGROUND_THREADS: usize = 2;

/// Serves until SIGTERM or SIGINT, then shuts down gracefully. `fresh`: an empty PostgreSQL database may replace an
/// SQLite file.
pub(crate) fn serve(config: &Config, fresh: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .thread_name("background")
        .enable_all()
        .build()
        .context("cannot start threads")?;
    runtime.block_on(run(config, fresh))
}

async fn run(config: &Config, fresh: bool) -> Result<()> {
    // registered first: one that arrives during the start stops the server once it serves
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let limit = raise_limit();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let listeners = Listeners::bind(config.listen(), config.server.workers.unwrap_or(processors))?;
    let services = Services::start(config, fresh).await?;
    let address = listeners.address;
    let stop = CancellationToken::new();
    let connections =
        Registry::new(&config.server, max_connections(config, limit), services.edge.budget().clone());
    services.health.watch(&connections);
    let workers = listeners.serve(&services, &config.server, &connections, &stop)?;
    tracing::info!(%address, data = %config.data().display(), version = env!("CARGO_PKG_VERSION"), "serving");
    print_first_credentials(&services, address)?;

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        // startup ran on this thread
        () = memory::give_back(stop.clone()) => {}
    }
    tracing::info!("stopping: completing open requests");
    services.health.stopping();
    stop.cancel();
    tokio::task::spawn_blocking(move || workers.join()).await?;
    services.stop(Duration::from_secs(config.server.shutdown_timeout)).await;
    tracing::info!("stopped");
    Ok(())
}

/// The maximum number of connections, given the available file descriptors.
fn max_connections(config: &Config, limit: Option<usize>) -> usize {
    let wanted = config.server.max_connections;
    let database = config.database.max_connections as usize;
    let descriptors = Descriptors { limit, open: Descriptors::open_now(), database };
    let max_connections = descriptors.connections(wanted);
    if max_connections < wanted {
        tracing::warn!(
            limit,
            open = descriptors.open,
            wanted,
            connections = max_connections,
            "the limit of open files leaves room for fewer connections than server.max_connections; raise it (LimitNOFILE)"
        );
    } else {
        tracing::info!(limit, open = descriptors.open, connections = max_connections, "file descriptors");
    }
    max_connections
}

/// At the first start, prints the generated credentials, once and only on standard output.
fn print_first_credentials(services: &Services, address: std::net::SocketAddr) -> Result<()> {
    let Some(first) = &services.generated_credentials else { return Ok(()) };
    let mut out = std::io::stdout().lock();
    writeln!(out, "Loam's first start. Open http://{address} in a browser, and log in as below.")?;
    writeln!(out, "These are shown this once; keep them.")?;
    match &first.api_key {
        Some(key) => writeln!(out, "  API key with every right:  {}", key.as_str())?,
        None => writeln!(out, "  API key with every right:  as LOAM_BOOTSTRAP_KEY says")?,
    }
    match &first.password {
        Some(password) => writeln!(out, "  user `operator`, password: {}", password.as_str())?,
        None => writeln!(out, "  user `operator`, password: as LOAM_BOOTSTRAP_PASSWORD says")?,
    }
    out.flush()?;
    Ok(())
}
