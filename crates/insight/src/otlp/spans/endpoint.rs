//! What a span's request was for.

use super::{MAX_NAME, Told};
use crate::otlp::attributes::kept;
use crate::otlp::wire::Kind;
use crate::redact;

/// The method, by the conventions of now and of before.
pub(super) const METHOD: [&str; 2] = ["http.request.method", "http.method"];

/// The method and the route, else the path without what differs from request to request; of what is no HTTP, the span's
/// name.
pub(super) fn endpoint(told: &Told<'_>) -> String {
    let name = match told.attributes.text(&METHOD) {
        Some(method) if told.span.part() == Kind::Server => {
            let route = told.attributes.text(&["http.route"]).map(str::to_owned);
            match route.or_else(|| path(told).map(|path| pattern(&path))) {
                Some(route) => format!("{method} {route}"),
                None => told.span.name.clone(),
            }
        }
        _ => told.span.name.clone(),
    };
    kept(&name, MAX_NAME)
}

/// The path as it was asked for, without its query.
pub(super) fn path(told: &Told<'_>) -> Option<String> {
    let target = told
        .attributes
        .text(&["url.path", "http.target"])
        .or_else(|| told.attributes.text(&["url.full", "http.url"]).map(behind_host))?;
    let path = &target[..target.find(['?', '#']).unwrap_or(target.len())];
    Some(if path.is_empty() { "/".to_owned() } else { kept(path, 4 * MAX_NAME) })
}

/// The query, where there is one.
pub(super) fn query<'a>(told: &Told<'a>) -> Option<&'a str> {
    let behind = |name| told.attributes.text(&[name])?.split_once('?').map(|(_, query)| query);
    told.attributes
        .text(&["url.query"])
        .or_else(|| ["http.target", "url.full", "http.url"].into_iter().find_map(behind))
}

fn behind_host(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find('/').map_or("/", |at| &url[host + at..])
}

/// A path without what differs from request to request: `/users/7` becomes `/users/{id}`.
fn pattern(path: &str) -> String {
    let parts = path.split('/').map(|part| if redact::differs(part) { "{id}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}
