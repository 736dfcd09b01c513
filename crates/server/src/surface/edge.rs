//! The edge: a request's id, its limits, authentication, idempotency, and the error shape, in one place around the
//! router.
//!
//! What few requests need is boxed: a future is moved when it begins, as a whole, however little of it is used.
//!
//! These could be layers of the router. But each layer is a boxed service that is cloned for every request, and on the
//! path of a call that was a seventh of all time.

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
use loam_http::surface::{ApiError, Shape, error_body, render_error};
use loam_kernel::{Clock, Origin, TenantId};
use loam_platform::api_logs::{ApiLogs, Caller};
use loam_platform::system_config::Live;
use tower::ServiceExt;

use super::access::{Access, Admitted};
use super::headers;
use super::idempotency::Replay;
use super::intake::Intake;
use super::logged::{Kept, Tee, record_at_end};
use super::origin::{self, REQUEST_ID};
use crate::config::ServerConfig;
use crate::connections::{Budget, Connection, Metered, Share, Unread};
use crate::limits::RequestLimits;

/// What every request passes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Edge(Arc<Inner>);

struct Inner {
    router: Router,
    access: Access,
    replay: Replay,
    logs: ApiLogs,
    limits: Live<RequestLimits>,
    clock: Clock,
    budget: Arc<Budget>,
    max_body_bytes: usize,
    max_import_bytes: usize,
    read_timeout: Duration,
    trusted_proxies: Vec<Network>,
}

/// What an [`Edge`] is made of.
pub(super) struct Parts {
    pub(super) router: Router,
    pub(super) access: Access,
    pub(super) replay: Replay,
    pub(super) logs: ApiLogs,
    pub(super) limits: Live<RequestLimits>,
    pub(super) clock: Clock,
    pub(super) budget: Arc<Budget>,
}

impl Edge {
    pub(super) fn new(parts: Parts, config: &ServerConfig) -> Self {
        let Parts { router, access, replay, logs, limits, clock, budget } = parts;
        Self(Arc::new(Inner {
            router,
            access,
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

    /// What the bodies of requests may take in memory.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.0.budget
    }

    /// Answers a request that came over a connection from `peer`.
    pub(crate) async fn serve(
        self,
        request: hyper::Request<Incoming>,
        connection: Arc<Connection>,
        peer: IpAddr,
    ) -> Result<Response, Infallible> {
        let this = &*self.0;
        let (origin, header) = origin::identify(&this.clock, request.headers(), peer, &this.trusted_proxies);
        let origin = Arc::new(origin);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let arrival = this.logs.arrive(&method, &uri, request.headers());
        let shape = shape_of(uri.path(), request.headers());
        let kept = (arrival.keep_body > 0).then(|| Kept::new(arrival.keep_body));
        let mut caller = Caller::default();
        let answer = this.answer(request, &connection, &origin, &mut caller, kept.as_ref());
        let response = answer.await.unwrap_or_else(ApiError::into_response);
        let (id, path) = (&origin.request_id, uri.path());
        let mut response = render_error(response, id, caller.tenant, &method, path, shape);
        headers::protect(path, response.headers_mut());
        response.headers_mut().insert(REQUEST_ID, header);
        Ok(match this.logs.leave(arrival, caller, &origin, (&method, &uri), response.status()) {
            Some(ending) => record_at_end(ending, kept, response),
            None => response,
        })
    }
}

impl Inner {
    /// The body, with its limits. Only who was let in has any of it read.
    fn limited(
        &self,
        body: Unread,
        connection: &Arc<Connection>,
        admitted: &Admitted,
        kept: Option<&Kept>,
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
            (_, None) => Some(Share::Nobody),
            (_, Some(scope)) => Some(self.budget.share(scope.tenant())),
        };
        let body = Metered::new(body, connection, max, self.read_timeout, held);
        match kept {
            Some(kept) => Body::new(Tee::new(body, kept.clone())),
            None => Body::new(body),
        }
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        connection: &Arc<Connection>,
        origin: &Arc<Origin>,
        caller: &mut Caller,
        kept: Option<&Kept>,
    ) -> Result<Response, ApiError> {
        let (head, body) = request.into_parts();
        let body = Unread::new(&head.headers, body);
        let admitted = self.access.admit(&head.method, &head.uri, &head.headers, origin).await?;
        let body = self.limited(body, connection, &admitted, kept);
        let mut request = Request::from_parts(head, body);
        let Some(scope) = admitted.scope else {
            // who logs in has no scope yet, but comes from somewhere
            request.extensions_mut().insert(origin.clone());
            return Ok(self.route(request).await);
        };
        connection.know();
        *caller = Caller::from(&scope);
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

/// How errors look at a path.
fn shape_of(path: &str, headers: &HeaderMap) -> Shape {
    if path.starts_with("/anthropic/") {
        return Shape::json(|error, request_id| {
            loam_providers::anthropic_error(error, request_id).to_string().into_bytes()
        });
    }
    loam_insight::otlp_error_shape(path, headers).unwrap_or_else(|| Shape::json(error_body))
}
