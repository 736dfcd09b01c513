//! The origin and id of a request.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use loam_http::client::Network;
use loam_kernel::{Clock, Origin};
use uuid::Uuid;

use super::cors;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
const MAX_ID: usize = 128;
const MAX_AGENT: usize = 500;

/// The id of a request, which is the client's own if it is valid, and the header with it.
pub(super) fn identify(
    clock: &Clock,
    headers: &HeaderMap,
    peer: IpAddr,
    proxies: &[Network],
) -> (Origin, HeaderValue) {
    let (request_id, header) = own_id(headers).unwrap_or_else(|| {
        let text = clock.id::<Uuid>().to_string();
        let value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unknown"));
        (text, value)
    });
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    // `to_str` lets only ASCII pass
    let user_agent = agent.map(|agent| agent[..agent.len().min(MAX_AGENT)].to_owned());
    let ip_address = Some(client(headers, peer, proxies));
    let web_origin = cors::web_origin(headers).map(str::to_owned);
    (Origin { request_id, ip_address, user_agent, web_origin }, header)
}

/// The address of the client: the last one that isn't a trusted proxy. Anything before it can be forged.
fn client(headers: &HeaderMap, peer: IpAddr, proxies: &[Network]) -> IpAddr {
    let ours = |address: IpAddr| proxies.iter().any(|network| network.contains(address.to_canonical()));
    if proxies.is_empty() || !ours(peer) {
        return peer;
    }
    let lines = headers.get_all(FORWARDED).iter().rev().filter_map(|line| line.to_str().ok());
    let mut address = peer;
    for hop in lines.flat_map(|line| line.rsplit(',')) {
        let Ok(hop) = hop.trim().parse() else { return address };
        address = hop;
        if !ours(address) {
            break;
        }
    }
    address
}

fn own_id(headers: &HeaderMap) -> Option<(String, HeaderValue)> {
    let value = headers.get(REQUEST_ID)?;
    let text = value.to_str().ok().filter(|text| (1..=MAX_ID).contains(&text.len()))?;
    Some((text.to_owned(), value.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, forwarded: &[&str]) -> String {
        let headers = forwarded.iter().map(|line| (FORWARDED, line.parse().unwrap())).collect();
        let proxies = ["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        client(&headers, peer.parse().unwrap(), &proxies).to_string()
    }

    #[test]
    fn a_proxy_of_ours_is_believed_and_nobody_else() {
        assert_eq!(from("10.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(from("10.0.0.1", &["203.0.113.5, 192.0.2.7, 10.0.0.2"]), "192.0.2.7", "the last not ours");
        assert_eq!(from("10.0.0.1", &["203.0.113.5", "192.0.2.7"]), "192.0.2.7", "over several lines");
        assert_eq!(from("198.51.100.1", &["192.0.2.7"]), "198.51.100.1", "not a proxy of ours");
        assert_eq!(from("10.0.0.1", &["nonsense, 10.0.0.3"]), "10.0.0.3");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client(&HeaderMap::new(), [10, 0, 0, 1].into(), &[]).to_string(), "10.0.0.1");
    }
}
