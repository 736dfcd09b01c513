//! Requests that browsers send from pages of other origins (CORS).
//!
//! Cookies are never accepted across origins: a page needs a credential of its own, and an origin that is not allowed can
//! only not read the responses. So a preflight request is allowed for an origin that any credential allows; whether the
//! credential of the request itself does is checked when it is used.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use loam_identity::{Authenticator, web_origins};
use loam_platform::system_config::LiveConfig;

use crate::limits::CorsPolicy;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
/// How long a browser remembers a preflight response, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origin of the page that sent a request, unless it is Loam's own.
pub(super) fn web_origin(headers: &HeaderMap) -> Option<&str> {
    let origin = headers.get(header::ORIGIN)?;
    if headers.get(FETCH_SITE).is_some_and(|site| site == "same-origin") {
        return None;
    }
    Some(origin.to_str().unwrap_or("null"))
}

/// Whether a request only asks whether another one may be sent.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The response to a preflight request. Without the headers of [`expose`] a browser takes it for a refusal.
pub(super) fn preflight(headers: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    if let Some(requested) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
    response
}

/// Decides which origins can read responses.
pub(super) struct Cors {
    policy: LiveConfig<CorsPolicy>,
    authenticator: Arc<Authenticator>,
}

impl Cors {
    pub(super) fn new(policy: LiveConfig<CorsPolicy>, authenticator: Arc<Authenticator>) -> Self {
        Self { policy, authenticator }
    }

    /// Whether pages of an origin can read a response. `by_credential` is whether the credential of the request allows it;
    /// without a valid one, any credential's origins count: the error is for whoever tried.
    pub(super) async fn allows(&self, origin: &str, by_credential: Option<bool>) -> bool {
        if web_origins::allows(&self.policy.get().allowed_origins, origin) {
            return true;
        }
        match by_credential {
            Some(allowed) => allowed,
            // while the database is down, only the instance's origins are known
            None => self.authenticator.any_allows_web_origin(origin).await.unwrap_or(false),
        }
    }
}

/// Lets pages of an origin read the response and its headers.
pub(super) fn expose(origin: &str, response: &mut HeaderMap) {
    if let Ok(origin) = HeaderValue::from_str(origin) {
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        response.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
        response.append(header::VARY, HeaderValue::from_static("origin"));
    }
}
