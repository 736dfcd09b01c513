//! The one guarded HTTP/1.1 client: every request that Loam sends of its own accord goes through it.
//!
//! Belongs here: which addresses may be reached, name resolution, TLS, connections and their reuse, time-outs.
//! Does not belong here: what is asked of whom, retries of an answered request, and anything about one provider.
//!
//! A [`Client`] is a cheap handle that is shared freely. It keeps a pool of connections for each tokio runtime that
//! sends with it, found by the runtime's id, so a connection never leaves the runtime that opened it and there is
//! nothing for the caller to set up. The connection is driven by whoever awaits the answer or reads the body, not by
//! a task of its own: no switch between tasks per message, and polling a [`Body`] until it is pending yields all that
//! has already arrived, which lets a proxy write it out in one go.

mod address;
mod body;
mod config;
mod connection;
mod dial;
mod error;
mod guard;
mod network;
mod pool;
mod request;
mod retry_after;
mod tls;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use loam_kernel::Result;
use tokio::time::timeout;

pub use body::{Body, BodyError};
pub use config::{Config, Timeouts};
pub use error::SendError;
pub use guard::Guard;
pub use network::Network;
pub use retry_after::retry_after;

use connection::{Failure, Live};
use pool::{Lease, Pools};
use request::Target;
use tls::Tls;

/// Sends requests over HTTP and HTTPS to addresses that the [`Guard`] permits. Redirects are answers like any other.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    guard: Guard,
    tls: Tls,
    pools: Arc<Pools>,
}

impl Client {
    /// A client without connections. Reads [`Config::ca_file`]; the system's root certificates are loaded with the
    /// first HTTPS connection.
    ///
    /// # Errors
    /// [`Kind::Invalid`](loam_kernel::Kind::Invalid) when `ca_file` can't be read or holds no certificate.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            guard: Guard::new(config),
            tls: Tls::new(config.ca_file.as_deref())?,
            pools: Pools::new(config),
        })))
    }

    /// Which addresses this client may reach.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.0.guard
    }

    /// Checks a URL from the configuration or from a user without connecting: [`Guard::check_url`].
    ///
    /// # Errors
    /// [`Kind::Invalid`](loam_kernel::Kind::Invalid) that names `param`.
    pub fn check_url(&self, param: &str, url: &str) -> Result<Uri> {
        self.0.guard.check_url(param, url)
    }

    /// The addresses of a host that may be reached, for what speaks another protocol than HTTP: it has to connect to one
    /// of these, so that a name can't lead to where an address may not.
    ///
    /// # Errors
    /// [`SendError::Dns`], or [`SendError::Refused`] when it may be reached at none.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, SendError> {
        dial::resolve((host, port), &self.0.guard).await
    }

    /// Sends a request with an absolute URL and waits for the head of the answer, whatever its status.
    ///
    /// A connection that turns out to be dead is replaced without the caller noticing as long as nothing of the
    /// request was sent. A request that was sent on a reused connection and got no answer is sent once more only when
    /// its method is idempotent (RFC 9110, 9.2.2): the other side may have acted on it, and a repeated `POST` to a
    /// model is charged twice. [`SendError::maybe_sent`] tells the two apart for those who choose another provider.
    ///
    /// Dropping the future, or the body before its end, closes the connection, which tells the other side to stop.
    ///
    /// # Errors
    /// [`SendError`] says which step failed.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time enabled.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        timeouts: Timeouts,
    ) -> Result<Response<Body>, SendError> {
        let (target, mut request) = Target::split(request)?;
        let pool = self.0.pools.current();
        while let Some(mut live) = pool.take(&target.key) {
            let spare = request.method().is_idempotent().then(|| request.clone());
            match exchange(&mut live, request, timeouts).await {
                Ok(response) => return Ok(answer(response, Lease::new(pool, target.key, live), timeouts)),
                Err(Failure { unsent: Some(unsent), .. }) => request = *unsent,
                Err(Failure { error: SendError::Closed { .. }, .. }) if let Some(spare) = spare => {
                    request = spare;
                    break;
                }
                Err(failure) => return Err(failure.error),
            }
        }
        // apart, as connections are mostly there already
        let open = Box::pin(dial::open(&target, &self.0.guard, &self.0.tls));
        let mut live = timeout(timeouts.connect, open).await.map_err(|_| SendError::ConnectTimeout {
            host: target.host.clone(),
            after: timeouts.connect,
        })??;
        let response = exchange(&mut live, request, timeouts).await.map_err(|failure| failure.error)?;
        Ok(answer(response, Lease::new(pool, target.key, live), timeouts))
    }
}

async fn exchange(
    live: &mut Live,
    request: Request<Full<Bytes>>,
    timeouts: Timeouts,
) -> Result<Response<hyper::body::Incoming>, Failure> {
    match timeout(timeouts.first_byte, live.exchange(request)).await {
        Ok(done) => done,
        Err(_) => Err(SendError::FirstByteTimeout { after: timeouts.first_byte }.into()),
    }
}

fn answer(response: Response<hyper::body::Incoming>, lease: Lease, timeouts: Timeouts) -> Response<Body> {
    response.map(|incoming| Body::new(incoming, lease, timeouts.idle))
}
