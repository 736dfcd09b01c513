//! Authentication on every route, as the OpenAPI document says.
//!
//! The document is the one source: an operation's `security` names the permission it needs. An operation that the
//! document doesn't have, or that says nothing of security, can't be reached; the server doesn't even start with the
//! latter.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::{Result, ensure};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use loam_http::surface::{ApiError, rejected_as_error};
use loam_identity::{Authenticator, permissions};
use loam_kernel::{Error, Kind, Origin, Scope};
use serde_json::Value;
use utoipa::openapi::OpenApi;

/// What each operation needs.
pub(super) struct Access {
    operations: matchit::Router<Vec<Operation>>,
    authenticator: Arc<Authenticator>,
}

struct Operation {
    method: Method,
    /// `None`: everybody may.
    permission: Option<String>,
    /// The query parameters it knows; `None` where another protocol rules.
    parameters: Option<HashSet<String>>,
}

/// The paths that need no key.
const PUBLIC: [&str; 2] = ["/healthz", "/readyz"];
const METRICS: &str = "/metrics";

/// Pages for people, which the document does not list.
fn is_page(path: &str) -> bool {
    matches!(path, "/" | "/openapi.json" | "/docs") || path.starts_with("/docs/")
}

impl Access {
    pub(super) fn new(
        document: &OpenApi,
        authenticator: Arc<Authenticator>,
        public_metrics: bool,
    ) -> Result<Self> {
        let document = serde_json::to_value(document)?;
        let mut all = matchit::Router::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            let mut operations = Vec::new();
            for (method, operation) in item.as_object().into_iter().flatten() {
                let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) else { continue };
                let public = PUBLIC.contains(&path.as_str()) || (path == METRICS && public_metrics);
                let permission = operation["security"][0]["api_key"][0].as_str().map(str::to_owned);
                ensure!(
                    public || permission.is_some(),
                    "{method} {path} says nothing of the permission it needs"
                );
                if let Some(permission) = &permission {
                    ensure!(
                        permissions::ALL.contains(&permission.as_str()),
                        "{path} needs the unknown permission {permission}"
                    );
                }
                let permission = permission.filter(|_| !public);
                let parameters = path.starts_with("/api/").then(|| query_parameters(operation));
                operations.push(Operation { method, permission, parameters });
            }
            all.insert(path.clone(), operations)?;
        }
        Ok(Self { operations: all, authenticator })
    }

    fn operation(&self, path: &str, method: &Method) -> Result<&Operation, ApiError> {
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let matched = self.operations.at(path).map_err(|_| rejected_as_error(StatusCode::NOT_FOUND))?;
        let operation = matched.value.iter().find(|operation| operation.method == wanted);
        operation.ok_or_else(|| rejected_as_error(StatusCode::METHOD_NOT_ALLOWED))
    }

    /// Lets in who may, and says with which scope; without one where everybody may.
    pub(super) async fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        origin: &Arc<Origin>,
    ) -> Result<Option<Scope>, ApiError> {
        if is_page(uri.path()) {
            return Ok(None);
        }
        let operation = self.operation(uri.path(), method)?;
        let Some(permission) = &operation.permission else { return Ok(None) };
        let key = bearer(headers)?;
        let writes = !matches!(*method, Method::GET | Method::HEAD);
        let scope = self.authenticator.authenticate(key, writes, origin.clone()).await?;
        scope.require(permission)?;
        operation.check_query(uri.query())?;
        Ok(Some(scope))
    }
}

impl Operation {
    /// A misspelt filter would list everything; so it is refused.
    fn check_query(&self, query: Option<&str>) -> Result<(), Error> {
        let (Some(known), Some(query)) = (&self.parameters, query) else { return Ok(()) };
        match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| !known.contains(name.as_ref())) {
            Some((name, _)) => {
                let name: String = name.chars().take(100).collect();
                Err(Error::new(
                    Kind::Invalid,
                    "unknown_parameter",
                    format!("there is no query parameter `{name}` here"),
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

fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let missing = || {
        let message = "send an API key: `Authorization: Bearer loam_…`";
        Error::new(Kind::Unauthenticated, "missing_credential", message)
    };
    let value = headers.get(header::AUTHORIZATION).ok_or_else(missing)?.to_str().map_err(|_| missing())?;
    let (scheme, key) = value.split_once(' ').ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(key.trim()) } else { Err(missing()) }
}
