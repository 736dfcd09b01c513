//! Headers by which a browser is told to do nothing with an answer but what it is meant for.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Of everything that is not a page: it holds nothing to run, to show or to frame.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// Of the pages of `/docs`: what comes with them, and the API. Their styles are set by script, their icons are `data:`.
const PAGES: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Adds them to the answer of a path.
pub(super) fn protect(path: &str, headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // no browser opens the path of a call, which has no time to lose
    if path.starts_with("/v1/") || path.starts_with("/anthropic/") || path.starts_with("/otlp/") {
        return;
    }
    let policy = if path.starts_with("/docs") { PAGES } else { NOTHING };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
}
