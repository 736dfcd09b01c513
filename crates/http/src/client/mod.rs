//! The guarded HTTP/1.1 client, through which Loam sends every outgoing request.
//!
//! Belongs here: which addresses may be reached, name resolution, TLS, connections and their reuse, timeouts.
//! Does not belong here: the content of requests, retries after a response, and anything about one provider.
//!
//! A [`Client`] is a cheap handle that is shared freely. It has a pool of connections for each tokio runtime that uses
//! it, identified by the runtime's id, so a connection never leaves the runtime that opened it and the caller has nothing
//! to set up. The task that awaits the response or reads the body drives the connection, not a task of its own: there is
//! no task switch per message, and polling a [`Body`] until it is pending yields everything that has arrived, which lets
//! a proxy write it at once.

mod address;
mod body;
mod config;
mod connection;
mod decode;
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

use connection::{Failure, LiveConnection};
use decode::Decoder;
use pool::{Lease, Pools};
use request::Target;
use tls::Tls;

/// Sends requests over HTTP and HTTPS to addresses that the [`Guard`] permits. Redirects are returned, not followed.
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

    /// The permitted addresses of a host, for protocols other than HTTP: the caller must connect to one of these, so that a
    /// name can't lead to a forbidden address.
    ///
    /// # Errors
    /// [`SendError::Dns`], or [`SendError::Refused`] if none is permitted.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, SendError> {
        dial::resolve((host, port), &self.0.guard).await
    }

    /// Sends a request with an absolute URL and waits for the head of the response, whatever its status. A compressed
    /// response is decoded, and its headers describe the decoded one.
    ///
    /// A dead connection is replaced transparently if nothing of the request was sent. A request that was sent on a reused
    /// connection and got no response is repeated once, only if its method is idempotent (RFC 9110, 9.2.2): the peer may have
    /// processed it, and a repeated `POST` to a model is charged twice. [`SendError::maybe_sent`] distinguishes the two cases
    /// for failover.
    ///
    /// Dropping the future, or the body before its end, closes the connection, which makes the peer stop.
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
                Ok(response) => {
                    return into_body_response(response, Lease::new(pool, target.key, live), timeouts);
                }
                Err(Failure { unsent: Some(unsent), .. }) => request = *unsent,
                Err(Failure { error: SendError::Closed { .. }, .. }) if let Some(spare) = spare => {
                    request = spare;
                    break;
                }
                Err(failure) => return Err(failure.error),
            }
        }
        // boxed, as there mostly is an idle connection
        let open = Box::pin(dial::open(&target, &self.0.guard, &self.0.tls));
        let mut live = timeout(timeouts.connect, open).await.map_err(|_| SendError::ConnectTimeout {
            host: target.host.clone(),
            after: timeouts.connect,
        })??;
        let response = exchange(&mut live, request, timeouts).await.map_err(|failure| failure.error)?;
        into_body_response(response, Lease::new(pool, target.key, live), timeouts)
    }
}

async fn exchange(
    live: &mut LiveConnection,
    request: Request<Full<Bytes>>,
    timeouts: Timeouts,
) -> Result<Response<hyper::body::Incoming>, Failure> {
    match timeout(timeouts.first_byte, live.exchange(request)).await {
        Ok(done) => done,
        Err(_) => Err(SendError::FirstByteTimeout { after: timeouts.first_byte }.into()),
    }
}

fn into_body_response(
    mut response: Response<hyper::body::Incoming>,
    lease: Lease,
    timeouts: Timeouts,
) -> Result<Response<Body>, SendError> {
    let decoder = Decoder::of(response.headers_mut())?;
    Ok(response.map(|incoming| Body::new(incoming, lease, decoder, timeouts.idle)))
}
