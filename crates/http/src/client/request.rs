//! Splits a request with an absolute URL into the target and the request on the wire.

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Uri};
use http_body_util::Full;

use super::SendError;
use super::pool::Key;

/// The target of a request.
pub(super) struct Target {
    /// The name or the address, without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    /// The key of the connections that can be used.
    pub(super) key: Key,
}

/// What is wrong with a URL.
pub(super) struct UrlError(pub(super) &'static str);

impl Target {
    /// Extracts the target from the URL and leaves the form of HTTP/1.1: the path, and a `host` header. Without a
    /// header of its own the request accepts no compressed response.
    pub(super) fn split(
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Self, Request<Full<Bytes>>), SendError> {
        let (https, host, port) =
            parts(request.uri()).map_err(|UrlError(reason)| SendError::Url { reason })?;
        let host = host.to_owned();
        let uri = std::mem::take(request.uri_mut()).into_parts();
        let authority = uri.authority.ok_or(SendError::Url { reason: "must name a host" })?;
        if !request.headers().contains_key(HOST) {
            let text = match (https, port) {
                (true, 443) | (false, 80) => authority.as_str().trim_end_matches(&format!(":{port}")),
                _ => authority.as_str(),
            };
            let value =
                HeaderValue::from_str(text).map_err(|_| SendError::Url { reason: "has a malformed host" })?;
            request.headers_mut().insert(HOST, value);
        }
        request.headers_mut().entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        *request.uri_mut() = uri.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
        Ok((Self { host, port, key: Key::new(https, authority) }, request))
    }
}

/// Whether TLS is used, the host without brackets, and the port.
pub(super) fn parts(uri: &Uri) -> Result<(bool, &str, u16), UrlError> {
    let https = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(UrlError("must start with http:// or https://")),
    };
    let authority = uri.authority().ok_or(UrlError("must name a host"))?;
    if authority.as_str().contains('@') {
        return Err(UrlError("must not hold a user name or password"));
    }
    let host = authority.host();
    let port = match (authority.as_str().len() > host.len(), authority.port_u16()) {
        (false, _) => {
            if https {
                443
            } else {
                80
            }
        }
        (true, Some(port)) if port > 0 => port,
        (true, _) => return Err(UrlError("must have a port between 1 and 65535")),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err(UrlError("must name a host"));
    }
    Ok((https, host, port))
}
