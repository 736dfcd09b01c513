//! The endpoint, path and query of a server span.

use std::borrow::Cow;

use super::context::{MAX_NAME, SpanWithResource};
use crate::ingest;
use crate::otlp::attributes::storable;
use crate::otlp::wire::SpanKind;

/// The HTTP method, in the current and the former convention.
pub(super) const METHOD: [&str; 2] = ["http.request.method", "http.method"];

/// The method and the route, otherwise the method and the path with placeholders; the span name if it is not HTTP.
pub(super) fn endpoint(context: &SpanWithResource<'_>) -> String {
    let attributes = context.attributes;
    let method = attributes.text(&METHOD).filter(|_| context.span.span_kind() == SpanKind::Server);
    let (route, path) = (attributes.text(&["http.route"]).map(absolute), path(context));
    let name = match method {
        Some(_) if route.is_some() || path.is_some() => {
            ingest::endpoint(route.as_deref(), method, path.as_deref())
        }
        _ => context.span.name.clone(),
    };
    storable(&name, MAX_NAME)
}

/// A route with its leading slash, which Django omits, as it does `^` and `$` of older patterns.
fn absolute(route: &str) -> Cow<'_, str> {
    let route = route.strip_prefix('^').unwrap_or(route);
    let route = route.strip_suffix('$').unwrap_or(route);
    if route.starts_with('/') { route.into() } else { format!("/{route}").into() }
}

/// The path as requested, without its query.
pub(super) fn path(context: &SpanWithResource<'_>) -> Option<String> {
    let target = context
        .attributes
        .text(&["url.path", "http.target"])
        .or_else(|| context.attributes.text(&["url.full", "http.url"]).map(path_of_url))?;
    let path = &target[..target.find(['?', '#']).unwrap_or(target.len())];
    Some(if path.is_empty() { "/".to_owned() } else { storable(path, 4 * MAX_NAME) })
}

/// The query, if any.
pub(super) fn query<'a>(context: &SpanWithResource<'a>) -> Option<&'a str> {
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
