//! Where a request comes from, and the id it is known by.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use loam_kernel::{Clock, Origin};
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_ID: usize = 128;
const MAX_AGENT: usize = 500;

/// The address at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Gives the request its id: the client's own if it sent a sane one.
pub(super) async fn identify(State(clock): State<Clock>, mut request: Request, next: Next) -> Response {
    let (request_id, header) = match own_id(request.headers()) {
        Some((text, value)) => (text, value),
        None => {
            let text = clock.id::<Uuid>().to_string();
            let value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unknown"));
            (text, value)
        }
    };
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let origin = Origin {
        request_id,
        ip_address: request.extensions().get::<Peer>().map(|peer| peer.0.ip()),
        user_agent: agent.map(|agent| agent.chars().take(MAX_AGENT).collect()),
    };
    request.extensions_mut().insert(Arc::new(origin));
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, header);
    response
}

fn own_id(headers: &HeaderMap) -> Option<(String, HeaderValue)> {
    let value = headers.get(REQUEST_ID)?;
    let text = value.to_str().ok().filter(|text| (1..=MAX_ID).contains(&text.len()))?;
    Some((text.to_owned(), value.clone()))
}
