//! Where a request comes from, and the id it is known by.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use loam_kernel::{Clock, Origin};
use uuid::Uuid;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_ID: usize = 128;
const MAX_AGENT: usize = 500;

/// Gives a request its id, the client's own if it sent a sane one; with the header that says so.
pub(super) fn identify(clock: &Clock, headers: &HeaderMap, peer: SocketAddr) -> (Origin, HeaderValue) {
    let (request_id, header) = own_id(headers).unwrap_or_else(|| {
        let text = clock.id::<Uuid>().to_string();
        let value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unknown"));
        (text, value)
    });
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let user_agent = agent.map(|agent| agent.chars().take(MAX_AGENT).collect());
    (Origin { request_id, ip_address: Some(peer.ip()), user_agent }, header)
}

fn own_id(headers: &HeaderMap) -> Option<(String, HeaderValue)> {
    let value = headers.get(REQUEST_ID)?;
    let text = value.to_str().ok().filter(|text| (1..=MAX_ID).contains(&text.len()))?;
    Some((text.to_owned(), value.clone()))
}
