//! The API in this process: the server's own routes on the database, without a socket.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use loam_kernel::{Error, Scope};
use loam_platform::domain::Domain;
use tower::ServiceExt;

use super::ApiFailure;
use crate::cli::admin;
use crate::composition::Core;
use crate::config::Config;

/// The API in this process. Cheap to clone.
#[derive(Clone)]
pub(in crate::cli) struct Local {
    core: Arc<Core>,
    domains: Arc<[DomainRoutes; 7]>,
    scope: Scope,
}

/// The routes of a domain. They are built when they are needed: together with their documentation, all of them take as
/// long as the rest of a command.
struct DomainRoutes {
    domain: Arc<dyn Domain>,
    routes: OnceLock<(matchit::Router<()>, Router)>,
}

impl DomainRoutes {
    fn new(domain: Arc<dyn Domain>) -> Self {
        Self { domain, routes: OnceLock::new() }
    }

    /// The routes, if a path is among them.
    fn at(&self, path: &str) -> Option<&Router> {
        let (paths, router) = self.routes.get_or_init(|| {
            let (router, document) = self.domain.routes().split_for_parts();
            let mut paths = matchit::Router::new();
            for path in document.paths.paths.into_keys() {
                paths.insert(path, ()).expect("axum has taken the same paths");
            }
            (paths, router)
        });
        paths.at(path).is_ok().then_some(router)
    }
}

impl Local {
    /// On an existing database, for the management of tenants.
    pub(super) async fn open(config: &Config) -> Result<Self> {
        Ok(Self::new(admin::core(config).await?))
    }

    /// Without a database.
    pub(super) fn unconnected(config: &Config) -> Result<Self> {
        Ok(Self::new(Core::unconnected(config)?))
    }

    fn new(core: Core) -> Self {
        let [identity, conversation, delivery, insight, gateway, platform, server] =
            core.domains().map(DomainRoutes::new);
        // most used first
        let domains = [identity, gateway, conversation, insight, delivery, platform, server];
        Self { core: Arc::new(core), domains: Arc::new(domains), scope: admin::operator() }
    }

    /// The same in a tenant.
    pub(super) async fn in_tenant(&self, slug: &str) -> Result<Self> {
        let tenant = self.core.identity.tenant_by_slug(&self.scope, slug).await?;
        Ok(Self { scope: self.scope.in_tenant(tenant.id), ..self.clone() })
    }

    /// The services of the database and the scope, for what the API can't do.
    pub(in crate::cli) fn parts(&self) -> (&Core, &Scope) {
        (&self.core, &self.scope)
    }

    /// Sends a request with the scope of the command line, which the server's authentication would set.
    pub(super) async fn send(&self, mut request: Request) -> Result<Response> {
        request.extensions_mut().insert(self.scope.clone());
        let path = request.uri().path();
        let router =
            self.domains.iter().find_map(|domain| domain.at(path)).context("the API has no such path")?;
        let mut response = match router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        match response.extensions_mut().remove::<Arc<Error>>() {
            Some(error) => Err(ApiFailure::local(error).into()),
            None => Ok(response),
        }
    }
}
