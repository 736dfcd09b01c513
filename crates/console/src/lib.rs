//! The console: pages for people, embedded in the binary.
//!
//! Their source is `console/` in the repository. They use the public API alone, by the cookie of a login session.

mod assets;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use loam_http::surface::rejected_as_error;

use assets::{Asset, find};

/// The path below which the pages are.
pub const PATH: &str = "/console/";

/// What people type.
const PATH_WITHOUT_SLASH: &str = "/console";

/// Whether a path leads to the pages.
#[must_use]
pub fn has(path: &str) -> bool {
    path == PATH_WITHOUT_SLASH || path.starts_with(PATH)
}

/// The Content-Security-Policy of the pages: only their own resources, and the API of the same server.
pub const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Routes of the pages and their resources.
pub fn routes() -> Router {
    Router::new()
        .route(PATH_WITHOUT_SLASH, get(|| async { Redirect::temporary(PATH) }))
        .route(PATH, get(|headers: HeaderMap| async move { page(&headers) }))
        .route(&format!("{PATH}{{*path}}"), get(resource))
}

/// A resource by its path. Every other path is one of the pages, which tell them apart themselves.
async fn resource(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match find(&path) {
        Some(asset) => asset.response(&headers),
        None if path.starts_with("assets/") => rejected_as_error(StatusCode::NOT_FOUND).into_response(),
        None => page(&headers),
    }
}

fn page(headers: &HeaderMap) -> Response {
    find("index.html").map_or_else(
        || {
            let text = "This binary was built without the console: run `make build`, which builds both.\n";
            (StatusCode::NOT_FOUND, text).into_response()
        },
        |asset: &Asset| asset.response(headers),
    )
}
