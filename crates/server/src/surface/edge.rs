//! The edge: request ids, limits, authentication, idempotency and the error format, in one place around the router.
//!
//! Rare parts are boxed: a future is moved as a whole when it starts, however little of it is used.
//!
//! These could be layers of the router. But each layer is a boxed service that is cloned for every request, which took a
//! seventh of the time of a call.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use loam_http::client::Network;
use loam_http::surface::{ApiError, ErrorFormat, error_body, render_error};
use loam_kernel::{Clock, Origin, TenantId};
use loam_platform::api_logs::{ApiLogs, Caller};
use loam_platform::system_config::LiveConfig;
use tower::ServiceExt;

use super::access::{Access, Admitted};
use super::cors::{self, Cors};
use super::headers;
use super::idempotency::Replay;
use super::intake::Intake;
use super::origin::{self, REQUEST_ID};
use super::paths::canonical;
use super::recorded_body::{CapturedBody, Tee, record_at_end};
use crate::config::ServerConfig;
use crate::connections::{Budget, Connection, DrainOnDrop, LimitedBody, Share};
use crate::limits::RequestLimits;

/// The edge, which every request passes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Edge(Arc<Inner>);

struct Inner {
    router: Router,
    access: Access,
    cors: Cors,
    replay: Replay,
    logs: ApiLogs,
    limits: LiveConfig<RequestLimits>,
    clock: Clock,
    budget: Arc<Budget>,
    max_body_bytes: usize,
    max_import_bytes: usize,
    read_timeout: Duration,
    trusted_proxies: Vec<Network>,
}

/// The dependencies of an [`Edge`].
pub(super) struct Parts {
    pub(super) router: Router,
    pub(super) access: Access,
    pub(super) cors: Cors,
    pub(super) replay: Replay,
    pub(super) logs: ApiLogs,
    pub(super) limits: LiveConfig<RequestLimits>,
    pub(super) clock: Clock,
    pub(super) budget: Arc<Budget>,
}

impl Edge {
    pub(super) fn new(parts: Parts, config: &ServerConfig) -> Self {
        let Parts { router, access, cors, replay, logs, limits, clock, budget } = parts;
        Self(Arc::new(Inner {
            router,
            access,
            cors,
            replay,
            logs,
            limits,
            clock,
            budget,
            max_body_bytes: config.max_body_bytes,
            max_import_bytes: config.max_import_bytes,
            read_timeout: Duration::from_secs(config.read_timeout),
            trusted_proxies: config.trusted_proxies.clone(),
        }))
    }

    /// The memory budget of request bodies.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.0.budget
    }

    /// Serves a request from `peer`.
    pub(crate) async fn serve(
        self,
        mut request: hyper::Request<Incoming>,
        connection: Arc<Connection>,
        peer: IpAddr,
    ) -> Result<Response, Infallible> {
        let this = &*self.0;
        if let Some(uri) = canonical(request.uri()) {
            *request.uri_mut() = uri;
        }
        let (origin, header) = origin::identify(&this.clock, request.headers(), peer, &this.trusted_proxies);
        let origin = Arc::new(origin);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let start = this.logs.request_started(&method, &uri, request.headers());
        let shape = error_format_of(uri.path(), request.headers());
        let captured = (start.keep_body > 0).then(|| CapturedBody::new(start.keep_body));
        let mut caller = Caller::default();
        let mut allowed = None;
        let answer =
            this.answer(request, &connection, &origin, (&mut caller, &mut allowed), captured.as_ref());
        let response = answer.await.unwrap_or_else(ApiError::into_response);
        let (id, path) = (&origin.request_id, uri.path());
        let mut response = render_error(response, id, caller.tenant, &method, path, shape);
        headers::protect(path, response.headers_mut());
        response.headers_mut().insert(REQUEST_ID, header);
        if let Some(web_origin) = &origin.web_origin
            && Box::pin(this.cors.allows(web_origin, allowed)).await
        {
            cors::expose(web_origin, response.headers_mut());
        }
        Ok(match this.logs.response_started(start, caller, &origin, (&method, &uri), response.status()) {
            Some(pending) => record_at_end(pending, captured, response),
            None => response,
        })
    }
}

impl Inner {
    /// The body with its limits. Only the body of an admitted request is read.
    fn limited(
        &self,
        body: DrainOnDrop,
        connection: &Arc<Connection>,
        admitted: &Admitted,
        captured: Option<&CapturedBody>,
    ) -> Body {
        if hyper::body::Body::is_end_stream(&body) {
            return Body::empty();
        }
        let set = self.limits.with(TenantId::NIL, |limits| limits.max_body_bytes);
        let content = set.map_or(self.max_body_bytes, |set| set.min(self.max_body_bytes));
        let max = admitted.intake.max(content, self.max_import_bytes);
        let held = match (admitted.intake, &admitted.scope) {
            (Intake::Import, _) => None,
            (Intake::Event, _) => Some(Share::Events),
            (_, None) => Some(Share::Unauthenticated),
            (_, Some(scope)) => Some(self.budget.share(scope.tenant())),
        };
        let body = LimitedBody::new(body, connection, max, self.read_timeout, held);
        match captured {
            Some(captured) => Body::new(Tee::new(body, captured.clone())),
            None => Body::new(body),
        }
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        connection: &Arc<Connection>,
        origin: &Arc<Origin>,
        (caller, web_origin_allowed): (&mut Caller, &mut Option<bool>),
        captured: Option<&CapturedBody>,
    ) -> Result<Response, ApiError> {
        let (head, body) = request.into_parts();
        if cors::is_preflight(&head.method, &head.headers) {
            return Ok(cors::preflight(&head.headers));
        }
        let body = DrainOnDrop::new(&head.headers, body);
        let admitted = self.access.admit(&head.method, &head.uri, &head.headers, origin, caller).await?;
        let body = self.limited(body, connection, &admitted, captured);
        let mut request = Request::from_parts(head, body);
        let Some(scope) = admitted.scope else {
            // a log-in has no scope yet, but has an origin
            request.extensions_mut().insert(origin.clone());
            return Ok(self.route(request).await);
        };
        connection.mark_authenticated();
        *caller = Caller::from(&scope);
        *web_origin_allowed = Some(scope.web_origin_allowed);
        if request.method() == Method::POST
            && let Some(key) = self.replay.key_of(&request)?
        {
            let is_streamed = admitted.intake == Intake::Import;
            let next = |request| self.route(request);
            return Box::pin(self.replay.once(scope, key, is_streamed, request, next)).await;
        }
        request.extensions_mut().insert(scope);
        Ok(self.route(request).await)
    }

    async fn route(&self, request: Request) -> Response {
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// The error format of a path.
fn error_format_of(path: &str, headers: &HeaderMap) -> ErrorFormat {
    if path.starts_with("/anthropic/") {
        return ErrorFormat::json(|error, request_id| {
            loam_providers::anthropic_error(error, request_id).to_string().into_bytes()
        });
    }
    loam_insight::otlp_error_shape(path, headers).unwrap_or_else(|| ErrorFormat::json(error_body))
}
