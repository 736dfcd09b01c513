//! Security headers of responses for browsers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// The policy of everything that is not a page: nothing may be executed, displayed or framed.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// The policy of the `/docs` pages: their own resources and the API. Their styles are set by script, their icons are `data:`.
const PAGES: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Adds the headers to the response of a path.
pub(super) fn protect(path: &str, headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // browsers don't open the hot path of calls
    if path.starts_with("/v1/") || path.starts_with("/anthropic/") || path.starts_with("/otlp/") {
        return;
    }
    let policy = if path.starts_with("/docs") {
        PAGES
    } else if loam_console::has(path) {
        HeaderValue::from_static(loam_console::POLICY)
    } else {
        NOTHING
    };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
}
