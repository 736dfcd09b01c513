//! The edge: a request's id, its limits, authentication, idempotency, and the error shape, in one place around the
//! router.
//!
//! What few requests need is boxed: a future is moved when it begins, as a whole, however little of it is used.
//!
//! These could be layers of the router. But each layer is a boxed service that is cloned for every request, and on the
//! path of a call that was a seventh of all time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use http_body_util::Limited;
use hyper::body::Incoming;
use loam_http::client::Network;
use loam_http::surface::{ApiError, Shape, error_body, render_error};
use loam_kernel::{Clock, Origin, TenantId};
use loam_platform::api_logs::{ApiLogs, Caller};
use loam_platform::system_config::Live;
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

use super::access::Access;
use super::idempotency::Replay;
use super::logged::{Kept, Tee, record_at_end};
use super::origin::{self, REQUEST_ID};
use crate::config::ServerConfig;
use crate::limits::RequestLimits;
use crate::unread::Unread;

/// How the paths end to which histories are sent, which are larger than other bodies.
const IMPORT: &str = "/import";

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
    max_body_bytes: usize,
    max_import_bytes: usize,
    read_timeout: Duration,
    trusted_proxies: Vec<Network>,
}

impl Edge {
    pub(super) fn new(
        router: Router,
        access: Access,
        replay: Replay,
        logs: ApiLogs,
        limits: Live<RequestLimits>,
        clock: Clock,
        config: &ServerConfig,
    ) -> Self {
        Self(Arc::new(Inner {
            router,
            access,
            replay,
            logs,
            limits,
            clock,
            max_body_bytes: config.max_body_bytes,
            max_import_bytes: config.max_import_bytes,
            read_timeout: Duration::from_secs(config.read_timeout),
            trusted_proxies: config.trusted_proxies.clone(),
        }))
    }

    /// Answers a request.
    pub(crate) async fn serve(
        self,
        request: hyper::Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response, Infallible> {
        let this = &*self.0;
        let (origin, header) = origin::identify(&this.clock, request.headers(), peer, &this.trusted_proxies);
        let origin = Arc::new(origin);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let (head, body) = request.into_parts();
        let arrival = this.logs.arrive(&method, &uri, &head.headers);
        let shape = shape_of(uri.path(), &head.headers);
        let kept = (arrival.keep_body > 0).then(|| Kept::new(arrival.keep_body));
        let body = this.limited(&uri, &head.headers, body, kept.as_ref());
        let request = Request::from_parts(head, body);
        let mut caller = Caller::default();
        let response =
            this.answer(request, &origin, &mut caller).await.unwrap_or_else(ApiError::into_response);
        let (id, path) = (&origin.request_id, uri.path());
        let mut response = render_error(response, id, caller.tenant, &method, path, shape);
        response.headers_mut().insert(REQUEST_ID, header);
        Ok(match this.logs.leave(arrival, caller, &origin, (&method, &uri), response.status()) {
            Some(ending) => record_at_end(ending, kept, response),
            None => response,
        })
    }
}

impl Inner {
    /// The body, with a limit on its size and on every pause within it.
    fn limited(&self, uri: &Uri, headers: &HeaderMap, body: Incoming, kept: Option<&Kept>) -> Body {
        if hyper::body::Body::is_end_stream(&body) {
            return Body::empty();
        }
        let body = TimeoutBody::new(self.read_timeout, Unread::new(headers, body));
        let max = if uri.path().ends_with(IMPORT) {
            // histories are larger than anything else that is sent
            self.max_import_bytes
        } else {
            let set = self.limits.with(TenantId::NIL, |limits| limits.max_body_bytes);
            set.map_or(self.max_body_bytes, |set| set.min(self.max_body_bytes))
        };
        let body = Limited::new(body, max);
        match kept {
            Some(kept) => Body::new(Tee::new(Box::pin(body), kept.clone())),
            None => Body::new(body),
        }
    }

    async fn answer(
        &self,
        mut request: Request,
        origin: &Arc<Origin>,
        caller: &mut Caller,
    ) -> Result<Response, ApiError> {
        let admitted = self.access.admit(request.method(), request.uri(), request.headers(), origin);
        let Some(scope) = admitted.await? else {
            // who logs in has no scope yet, but comes from somewhere
            request.extensions_mut().insert(origin.clone());
            return Ok(self.route(request).await);
        };
        *caller = Caller::from(&scope);
        if request.method() == Method::POST
            && let Some(key) = self.replay.key_of(&request)?
        {
            return Box::pin(self.replay.once(scope, key, request, |request| self.route(request))).await;
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
