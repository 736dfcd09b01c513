//! The layers that every request passes on its way to a handler.

mod access;
mod cors;
mod edge;
mod headers;
mod health;
mod idempotency;
mod intake;
mod metrics;
mod origin;
mod paths;
mod recorded_body;

use std::sync::Arc;

use anyhow::Result;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::get;
use axum::{Extension, Router};
use loam_http::surface::rejected_as_error;
use loam_identity::Authenticator;
use loam_platform::api_logs::ApiLogs;

use crate::composition::Core;
use crate::config::Config;
use crate::connections::Budget;
use crate::docs;
use crate::limits;

use access::Access;
use cors::Cors;
pub(crate) use edge::Edge;
pub(crate) use health::{Health, routes as health_routes};
use idempotency::Replay;

/// Where a browser goes that opens the server's address.
const START_PAGE: &str = loam_console::PATH;

/// The edge of the server, with every route behind it.
pub(crate) fn edge(
    config: &Config,
    core: &Core,
    authenticator: Arc<Authenticator>,
    health: Health,
    logs: ApiLogs,
) -> Result<Edge> {
    let instance = health_routes().layer(Extension(health)).layer(Extension(metrics::install()?));
    let (routes, document) = core.routes().merge(instance).split_for_parts();
    let document = docs::finish(document);
    let cors = Cors::new(core.system_config.live(&limits::CORS)?, authenticator.clone());
    let access =
        Access::new(&document, authenticator, core.gateway.proxy().clone(), config.server.public_metrics)?;
    let replay = Replay::new(core.db.clone(), core.keyring.clone(), core.clock.clone());
    // one shared copy: a response that is read slowly must not need its own
    let text = Bytes::from(document.to_json()?);
    let pages = Router::new()
        .route("/openapi.json", get(move || async move { ([("content-type", "application/json")], text) }))
        .route("/", get(|| async { Redirect::temporary(START_PAGE) }))
        .merge(loam_console::routes())
        .merge(
            utoipa_swagger_ui::SwaggerUi::new("/docs")
                .config(utoipa_swagger_ui::Config::from("/openapi.json")),
        );
    let router = routes
        .merge(pages)
        .method_not_allowed_fallback(|| async { rejected_as_error(StatusCode::METHOD_NOT_ALLOWED) })
        .fallback(|| async { rejected_as_error(StatusCode::NOT_FOUND) });
    let limits = core.system_config.live(&limits::REQUESTS)?;
    let budget = Arc::new(Budget::new(config.server.body_budget_bytes));
    let clock = core.clock.clone();
    let parts = edge::Parts { router, access, cors, replay, logs, limits, clock, budget };
    Ok(Edge::new(parts, &config.server))
}
