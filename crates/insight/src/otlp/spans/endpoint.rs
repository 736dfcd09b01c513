//! The endpoint, path and query of a server span.

use super::{MAX_NAME, SpanContext};
use crate::otlp::attributes::storable;
use crate::otlp::wire::SpanKind;
use crate::redact;

/// The HTTP method, in the current and the former convention.
pub(super) const METHOD: [&str; 2] = ["http.request.method", "http.method"];

/// The method and the route, otherwise the method and the path with placeholders; the span name if it is not HTTP.
pub(super) fn endpoint(context: &SpanContext<'_>) -> String {
    let name = match context.attributes.text(&METHOD) {
        Some(method) if context.span.span_kind() == SpanKind::Server => {
            let route = context.attributes.text(&["http.route"]).map(str::to_owned);
            match route.or_else(|| path(context).map(|path| template(&path))) {
                Some(route) => format!("{method} {route}"),
                None => context.span.name.clone(),
            }
        }
        _ => context.span.name.clone(),
    };
    storable(&name, MAX_NAME)
}

/// The path as requested, without its query.
pub(super) fn path(context: &SpanContext<'_>) -> Option<String> {
    let target = context
        .attributes
        .text(&["url.path", "http.target"])
        .or_else(|| context.attributes.text(&["url.full", "http.url"]).map(path_of_url))?;
    let path = &target[..target.find(['?', '#']).unwrap_or(target.len())];
    Some(if path.is_empty() { "/".to_owned() } else { storable(path, 4 * MAX_NAME) })
}

/// The query, if any.
pub(super) fn query<'a>(context: &SpanContext<'a>) -> Option<&'a str> {
    let query_of = |name| context.attributes.text(&[name])?.split_once('?').map(|(_, query)| query);
    context
        .attributes
        .text(&["url.query"])
        .or_else(|| ["http.target", "url.full", "http.url"].into_iter().find_map(query_of))
}

fn path_of_url(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find('/').map_or("/", |at| &url[host + at..])
}

/// A path with placeholders for its variable segments: `/users/7` becomes `/users/{id}`.
fn template(path: &str) -> String {
    let chunks = path.split('/').map(|chunk| if redact::is_variable(chunk) { "{id}" } else { chunk });
    chunks.collect::<Vec<_>>().join("/")
}
