//! What every request passes on its way to a handler: its id, the error shape, the limits, authentication, idempotency.

mod access;
mod health;
mod idempotency;
mod metrics;
mod origin;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::get;
use axum::{Extension, Router};
use loam_http::surface::{rejected_as_error, render_errors};
use loam_identity::Authenticator;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::config::Config;
use crate::services::Core;

use access::Access;
pub(crate) use health::{Health, routes as health_routes};
use idempotency::Replay;
pub(crate) use origin::Peer;

/// The whole router.
pub(crate) fn router(config: &Config, core: &Core, authenticator: Arc<Authenticator>, health: Health) -> Result<Router> {
    let (routes, document) = core.routes().split_for_parts();
    let access = Access::new(&document, authenticator, config.server.public_metrics)?;
    let replay = Replay::new(core.db.clone(), core.keyring.clone(), core.clock.clone());
    let metrics = metrics::install()?;
    let text: Arc<str> = document.to_json()?.into();
    let documents = Router::new()
        .route("/openapi.json", get(move || async move { ([("content-type", "application/json")], text.to_string()) }))
        .route("/", get(|| async { Redirect::temporary("/docs/") }))
        .merge(utoipa_swagger_ui::SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json")));
    let routes = routes
        .layer(from_fn_with_state(replay, idempotency::replay))
        .layer(from_fn_with_state(Arc::new(access), access::authenticate))
        .layer(Extension(health))
        .layer(Extension(metrics));
    Ok(routes
        .merge(documents)
        .method_not_allowed_fallback(|| async { rejected_as_error(StatusCode::METHOD_NOT_ALLOWED) })
        .fallback(|| async { rejected_as_error(StatusCode::NOT_FOUND) })
        .layer(DefaultBodyLimit::max(config.server.max_body_bytes))
        .layer(RequestBodyTimeoutLayer::new(Duration::from_secs(config.server.read_timeout)))
        .layer(from_fn(render_errors))
        .layer(from_fn_with_state(core.clock.clone(), origin::identify)))
}

