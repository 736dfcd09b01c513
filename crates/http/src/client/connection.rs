//! A connection, driven by its user.

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;

use super::SendError;
use super::dial::Stream;

type Outgoing = Request<Full<Bytes>>;
type Driver = Connection<TokioIo<Stream>, Full<Bytes>>;

/// An open connection. Nothing happens on it unless its user polls: no task stands behind it.
pub(super) struct LiveConnection {
    sender: SendRequest<Full<Bytes>>,
    /// None once the connection has ended; when it is dropped, hyper returns the unsent request.
    driver: Option<Driver>,
}

/// Why an exchange failed, and the request if not a byte of it was sent.
pub(super) struct Failure {
    pub(super) error: SendError,
    pub(super) unsent: Option<Box<Outgoing>>,
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self { error, unsent: None }
    }
}

impl LiveConnection {
    pub(super) async fn start(stream: Stream) -> Result<Box<Self>, SendError> {
        let (sender, driver) =
            handshake(TokioIo::new(stream)).await.map_err(|source| classify(source, false))?;
        Ok(Box::new(Self { sender, driver: Some(driver) }))
    }

    /// Lets the connection read and write what it can.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        advance(&mut self.driver, cx);
    }

    /// Sends the request and waits for the head of the response.
    pub(super) async fn exchange(&mut self, request: Outgoing) -> Result<Response<Incoming>, Failure> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let done = poll_fn(|cx| {
            advance(&mut self.driver, cx);
            // The response can only come from the driver above, in this poll: no wake-up is needed.
            answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        });
        done.await.map_err(|mut failed| {
            let unsent = failed.take_message().map(Box::new);
            Failure { error: classify(failed.into_error(), unsent.is_none()), unsent }
        })
    }

    /// Whether another request can be sent: the last exchange is complete and the peer keeps the connection open.
    pub(super) fn reusable(&mut self) -> bool {
        if !self.sender.is_ready() {
            self.drive(&mut Context::from_waker(Waker::noop()));
        }
        self.driver.is_some() && self.sender.is_ready()
    }
}

fn advance(driver: &mut Option<Driver>, cx: &mut Context<'_>) {
    if driver.as_mut().is_some_and(|driver| Pin::new(driver).poll(cx).is_ready()) {
        *driver = None;
    }
}

fn classify(source: hyper::Error, sent: bool) -> SendError {
    let broken = source.source().and_then(|cause| cause.downcast_ref::<io::Error>()).is_some();
    if broken || source.is_incomplete_message() || source.is_canceled() || source.is_closed() {
        SendError::Closed { sent, source }
    } else {
        SendError::Protocol { source }
    }
}
