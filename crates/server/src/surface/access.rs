//! Authentication and authorization of every route, from the OpenAPI document.
//!
//! The document is the only source: an operation's `security` names the required permission. An operation that is not in the
//! document can't be reached, and the server does not start if an operation has no `security`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loam_gateway::Proxy;
use loam_http::surface::{ApiError, rejected_as_error};
use loam_identity::login::cookie;
use loam_identity::{Authenticator, RequestedAccess, permissions};
use loam_kernel::{Actor, Error, Kind, Origin, Scope, truncate_chars};
use loam_platform::api_logs::Caller;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::intake::{EVENTS, Intake};

/// The requirements of all operations.
pub(super) struct Access {
    operations: matchit::Router<Vec<Operation>>,
    authenticator: Arc<Authenticator>,
    /// Counts calls of models that are refused.
    proxy: Proxy,
}

struct Operation {
    method: Method,
    requirement_of: Requirement,
    requested_access: RequestedAccess,
    intake: Intake,
    /// It concerns the instance: for operators only.
    is_instance: bool,
    /// Its query parameters; `None` for other protocols.
    parameters: Option<HashSet<String>>,
}

/// The requirement of an operation.
enum Requirement {
    /// Public.
    Nothing,
    /// Any credential: the operation concerns only the caller.
    Credential,
    /// A permission.
    Permission(String),
}

/// The public paths. Incoming events of a channel are signed with the channel's own secret.
const PUBLIC: [&str; 5] = ["/healthz", "/readyz", "/api/v1/login", "/.well-known/jwks.json", EVENTS];
/// The paths that concern only the caller.
const OWN: [&str; 3] = ["/api/v1/session", "/api/v1/logout", OWN_PASSWORD];
const OWN_PASSWORD: &str = "/api/v1/session/password";
const METRICS: &str = "/metrics";
/// The query parameter that carries a token where an operation declares it, for clients that can't set headers
/// (`EventSource`). RFC 6750, section 2.3.
const ACCESS_TOKEN: &str = "access_token";
/// Anthropic's clients send their key in a header of their own, to paths below this one.
const ANTHROPIC: &str = "/anthropic/";
const ANTHROPIC_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Langfuse's clients send a key pair with Basic authentication, to paths below this one.
const LANGFUSE: &str = "/api/public/";
/// The header that names the tenant in which an operator acts, or of an end user's token.
const TENANT: HeaderName = HeaderName::from_static("x-loam-tenant");

/// Pages for people, which the document does not list.
fn is_page(path: &str) -> bool {
    matches!(path, "/" | "/openapi.json" | "/docs") || path.starts_with("/docs/") || loam_console::has(path)
}

/// An admitted request.
pub(super) struct Admitted {
    /// Its scope; `None` for a public operation.
    pub(super) scope: Option<Scope>,
    /// The limit of its body.
    pub(super) intake: Intake,
}

/// The credential of a request.
#[derive(Debug, PartialEq, Eq)]
enum Credential<'a> {
    /// An API key or a token.
    Bearer(Cow<'a, str>),
    /// The cookie of a log-in session.
    Session(&'a str),
}

impl Access {
    pub(super) fn new(
        document: &OpenApi,
        authenticator: Arc<Authenticator>,
        proxy: Proxy,
        public_metrics: bool,
    ) -> Result<Self> {
        let document = serde_json::to_value(document)?;
        let mut all = matchit::Router::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            let mut operations = Vec::new();
            for (method, operation) in item.as_object().into_iter().flatten() {
                let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) else { continue };
                let public = PUBLIC.contains(&path.as_str()) || (path == METRICS && public_metrics);
                let requirement_of = requirement_of(path, operation, public)
                    .with_context(|| format!("{method} {path} can't be guarded"))?;
                let requested_access = requested_access(path, &method, operation);
                let parameters = path.starts_with("/api/").then(|| query_parameters(operation));
                let is_small = !matches!(requirement_of, Requirement::Permission(_));
                let intake = Intake::of(path, &method, is_small);
                let is_instance = path == METRICS;
                operations.push(Operation {
                    method,
                    requirement_of,
                    requested_access,
                    intake,
                    is_instance,
                    parameters,
                });
            }
            all.insert(path.clone(), operations)?;
        }
        Ok(Self { operations: all, authenticator, proxy })
    }

    fn operation(&self, path: &str, method: &Method) -> Result<&Operation, ApiError> {
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let matched = self.operations.at(path).map_err(|_| rejected_as_error(StatusCode::NOT_FOUND))?;
        let operation = matched.value.iter().find(|operation| operation.method == wanted);
        operation.ok_or_else(|| rejected_as_error(StatusCode::METHOD_NOT_ALLOWED))
    }

    /// Authenticates and authorizes a request. Of a request without operation, `caller` becomes who sent it, if known.
    pub(super) async fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        origin: &Arc<Origin>,
        caller: &mut Caller,
    ) -> Result<Admitted, ApiError> {
        if is_page(uri.path()) {
            return Ok(Admitted { scope: None, intake: Intake::Small });
        }
        let operation = match self.operation(uri.path(), method) {
            Ok(operation) => operation,
            Err(e) => {
                let reads = (&Method::GET, RequestedAccess::Read);
                let scope = Box::pin(self.authenticate(reads, uri.path(), headers, origin)).await;
                *caller = scope.map_or_else(|_| Caller::default(), |scope| Caller::from(&scope));
                return Err(if asks_for_web_socket(headers) { without_web_socket() } else { e });
            }
        };
        let permission = match &operation.requirement_of {
            Requirement::Nothing => return Ok(Admitted { scope: None, intake: operation.intake }),
            Requirement::Credential => None,
            Requirement::Permission(permission) => Some(permission),
        };
        let access = (method, operation.requested_access);
        let mut scope = match operation.token_of(uri.query(), headers) {
            Some(token) => {
                let named = tenant_header(headers);
                let (access, origin) = (operation.requested_access, origin.clone());
                Box::pin(self.authenticator.authenticate_token(&token, named, access, origin)).await?
            }
            None => self.authenticate(access, uri.path(), headers, origin).await?,
        };
        if let Some(permission) = permission {
            let named = tenant_header(headers);
            // operations that concern only the caller stay in the caller's own tenant
            // an end user's token was resolved within the named tenant
            if let Some(named) = named.filter(|_| !matches!(scope.actor(), Actor::EndUser(_))) {
                scope = Box::pin(self.authenticator.open_tenant(&scope, named, operation.requested_access))
                    .await?;
            }
            scope
                .require(permission)
                .inspect_err(|e| self.proxy.count_denied(&scope, uri.path(), headers, e))?;
        }
        if operation.is_instance && !scope.is_operator() {
            let message = "the metrics of the instance are for operators only";
            return Err(Error::new(Kind::Forbidden, "not_an_operator", message).into());
        }
        operation.check_query(uri.query())?;
        Ok(Admitted { scope: Some(scope), intake: operation.intake })
    }

    async fn authenticate(
        &self,
        (method, requested): (&Method, RequestedAccess),
        path: &str,
        headers: &HeaderMap,
        origin: &Arc<Origin>,
    ) -> Result<Scope, ApiError> {
        Ok(match credential(path, headers, origin)? {
            Credential::Bearer(text) => {
                let tenant = tenant_header(headers);
                self.authenticator.authenticate(&text, tenant, requested, origin.clone()).await?
            }
            Credential::Session(cookie) => {
                let safe = matches!(*method, Method::GET | Method::HEAD);
                let session =
                    self.authenticator.authenticate_session(cookie, headers, safe, requested, origin.clone());
                Box::pin(session).await?
            }
        })
    }
}

/// Whether a client wants to speak WebSocket.
fn asks_for_web_socket(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The error for a client that wants to: with this status clients fall back to HTTP.
fn without_web_socket() -> ApiError {
    let message =
        "this server doesn't speak WebSocket: send a POST request, with `\"stream\": true` for events";
    Error::new(Kind::Invalid, "web_socket_not_supported", message).with_status(426).into()
}

/// The tenant that the request names.
fn tenant_header(headers: &HeaderMap) -> Option<&str> {
    headers.get(TENANT).map(|named| named.to_str().unwrap_or_default())
}

/// The requirement of an operation from the document. An operation without `security`, or with an invalid one, is an error.
fn requirement_of(path: &str, operation: &Value, public: bool) -> Result<Requirement> {
    if public {
        return Ok(Requirement::Nothing);
    }
    let named = operation["security"][0]["api_key"].as_array();
    match named.map(|names| names.iter().filter_map(Value::as_str).collect::<Vec<_>>()).as_deref() {
        Some([]) if OWN.contains(&path) => Ok(Requirement::Credential),
        Some([permission]) => {
            ensure!(permissions::exists(permission), "there is no permission {permission}");
            Ok(Requirement::Permission((*permission).to_owned()))
        }
        _ => bail!("it must name exactly one permission"),
    }
}

/// The kind of access of an operation. Names of exports end with `_export`.
fn requested_access(path: &str, method: &Method, operation: &Value) -> RequestedAccess {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match path {
        OWN_PASSWORD => RequestedAccess::OwnPassword,
        path if OWN.contains(&path) => RequestedAccess::Own,
        _ if reads && operation["operationId"].as_str().is_some_and(|id| id.ends_with("_export")) => {
            RequestedAccess::Export
        }
        _ if reads => RequestedAccess::Read,
        _ => RequestedAccess::Write,
    }
}

impl Operation {
    /// The token in the URL, if the operation accepts one there and no header has a credential. API keys are not accepted
    /// there: URLs are logged on the way, and a key doesn't expire.
    fn token_of(&self, query: Option<&str>, headers: &HeaderMap) -> Option<String> {
        let accepted = self.parameters.as_ref().is_some_and(|known| known.contains(ACCESS_TOKEN));
        let query = query.filter(|_| accepted && !headers.contains_key(header::AUTHORIZATION))?;
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == ACCESS_TOKEN);
        found.map(|(_, text)| text.into_owned())
    }

    /// Rejects unknown query parameters: a misspelt filter would list everything.
    fn check_query(&self, query: Option<&str>) -> Result<(), Error> {
        let (Some(known), Some(query)) = (&self.parameters, query) else { return Ok(()) };
        match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| !known.contains(name.as_ref())) {
            Some((name, _)) => {
                let name = truncate_chars(&name, 100);
                Err(Error::new(
                    Kind::Invalid,
                    "unknown_parameter",
                    format!("unknown query parameter `{name}`"),
                )
                .with_param(name))
            }
            None => Ok(()),
        }
    }
}

fn query_parameters(operation: &Value) -> HashSet<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.filter(|p| p["in"] == "query").filter_map(|p| p["name"].as_str()).map(str::to_owned).collect()
}

/// The credential of the request: a bearer token takes precedence over a cookie.
fn credential<'a>(path: &str, headers: &'a HeaderMap, origin: &Origin) -> Result<Credential<'a>, Error> {
    let missing = || {
        let message = "send an API key or a token: `Authorization: Bearer …`";
        Error::new(Kind::Unauthenticated, "missing_credential", message)
    };
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, text) =
            value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(missing)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Credential::Bearer(text.trim().into()));
        }
        let pair = path.starts_with(LANGFUSE) && scheme.eq_ignore_ascii_case("basic");
        return secret_key(text)
            .filter(|_| pair)
            .map(|key| Credential::Bearer(key.into()))
            .ok_or_else(missing);
    }
    if let Some(value) = headers.get(ANTHROPIC_KEY).filter(|_| path.starts_with(ANTHROPIC)) {
        return Ok(Credential::Bearer(value.to_str().map_err(|_| missing())?.trim().into()));
    }
    cookie::of(headers, origin).map(Credential::Session).ok_or_else(missing)
}

/// The secret key of a key pair. The public key only names the project to the client, which requires one.
fn secret_key(pair: &str) -> Option<String> {
    let pair = String::from_utf8(STANDARD.decode(pair.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, secret)| secret.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn an_anthropic_client_sends_its_key_in_a_header_of_its_own_to_its_own_paths_alone() {
        let here = Origin::default();
        let own = headers(&[("x-api-key", "loam_key")]);
        let found = |path, headers: &HeaderMap| credential(path, headers, &here).map(|c| format!("{c:?}"));
        assert_eq!(found("/anthropic/v1/messages", &own).unwrap(), "Bearer(\"loam_key\")");
        for path in ["/v1/chat/completions", "/api/v1/users", "/anthropicx", "/"] {
            assert_eq!(found(path, &own).unwrap_err().code(), "missing_credential", "{path}");
        }
        let both = headers(&[("x-api-key", "loam_key"), ("authorization", "Bearer loam_other")]);
        assert_eq!(found("/anthropic/v1/messages", &both).unwrap(), "Bearer(\"loam_other\")");
    }

    #[test]
    fn a_bearer_token_goes_before_a_cookie_and_a_wrong_one_is_not_made_up_for() {
        let here = Origin::default();
        let with =
            |authorization| headers(&[("authorization", authorization), ("cookie", "__Host-loam_session=s")]);
        let bearer = |key: &'static str| Credential::Bearer(key.into());
        assert_eq!(credential("/v1/models", &with("bearer  k "), &here).unwrap(), bearer("k"));
        let pair = with("Basic cHVibGljOnNlY3JldDpr");
        assert_eq!(credential("/api/public/otel/v1/traces", &pair, &here).unwrap(), bearer("secret:k"));
        assert!(credential("/v1/traces", &pair, &here).is_err(), "key pairs are for Langfuse's paths");
        for wrong in ["Basic eA==", "Bearer", "k"] {
            assert!(credential("/v1/models", &with(wrong), &here).is_err(), "{wrong}");
        }
        let cookie = headers(&[("cookie", "__Host-loam_session=s")]);
        assert_eq!(credential("/v1/models", &cookie, &here).unwrap(), Credential::Session("s"));
    }

    #[test]
    fn an_operation_that_names_no_permission_can_not_be_guarded() {
        let with = |names: Value| json!({ "security": [{ "api_key": names }] });
        let guarded = |path, operation: &Value| requirement_of(path, operation, false).is_ok();
        assert!(guarded("/api/v1/users", &with(json!(["users:read"]))));
        assert!(guarded("/api/v1/session", &with(json!([]))));
        assert!(!guarded("/api/v1/users", &with(json!([]))), "any credential is enough for a few alone");
        assert!(!guarded("/api/v1/users", &with(json!(["users:fly"]))));
        assert!(!guarded("/api/v1/users", &with(json!(["users:read", "users:write"]))));
        assert!(!guarded("/api/v1/users", &json!({})));
        assert!(requirement_of("/healthz", &json!({}), true).is_ok());
    }

    #[test]
    fn an_export_is_told_from_reading_and_reading_from_changing() {
        let named = |id: &str| json!({ "operationId": id });
        assert_eq!(
            requested_access("/api/v1/audit_logs/export", &Method::GET, &named("audit_logs_export")),
            RequestedAccess::Export
        );
        assert_eq!(
            requested_access("/api/v1/audit_logs", &Method::GET, &named("audit_logs_list")),
            RequestedAccess::Read
        );
        assert_eq!(
            requested_access("/api/v1/exports", &Method::POST, &named("start_export")),
            RequestedAccess::Write
        );
        assert_eq!(
            requested_access("/api/v1/logout", &Method::POST, &named("log_out")),
            RequestedAccess::Own
        );
        assert_eq!(requested_access(OWN_PASSWORD, &Method::POST, &named("x")), RequestedAccess::OwnPassword);
    }
}
