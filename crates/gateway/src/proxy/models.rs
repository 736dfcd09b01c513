//! The list of models: those that each provider is configured with, or lists itself.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::Full;
use loam_kernel::{Error, Kind, Result, Scope};

use super::Proxy;
use super::begin::read_all;
use super::plan::{MODEL_NOT_FOUND, Plan};
use crate::catalog::Provider;

/// The `owned_by` of a route.
const ROUTE_OWNER: &str = "route";
/// A slower provider is left out of the list.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest list of models accepted.
const MAX_LIST_BYTES: usize = 8 << 20;

impl Proxy {
    /// Everything that the tenant can call: routes by their alias, models as `provider/model`; each with its
    /// `owned_by`.
    pub(super) async fn list_models(&self, scope: &Scope) -> Result<Vec<(String, String)>> {
        let models = self.0.catalog.get(scope.tenant()).await?;
        let mut active: Vec<&Arc<Provider>> =
            models.providers.values().filter(|provider| provider.is_active).collect();
        active.sort_by(|a, b| a.name.cmp(&b.name));
        let lists = join_all(active.iter().map(|provider| self.models_of(provider))).await;
        let mut all: Vec<(String, String)> = models
            .routes
            .values()
            .filter(|route| route.is_active)
            .map(|route| (route.alias.clone(), ROUTE_OWNER.to_owned()))
            .collect();
        all.sort();
        for (provider, list) in active.iter().zip(lists) {
            match list {
                Ok(list) => all.extend(
                    list.into_iter()
                        .map(|model| (format!("{}/{model}", provider.name), provider.name.clone())),
                ),
                Err(e) => {
                    tracing::warn!(provider = provider.name, error = %e, "cannot read a provider's list of models")
                }
            }
        }
        Ok(all)
    }

    /// The `owned_by` of a route or model that the tenant can call.
    pub(super) async fn owner_of_model(&self, scope: &Scope, id: &str) -> Result<String> {
        let models = self.0.catalog.get(scope.tenant()).await?;
        let destination = match Plan::resolve(&models, id)? {
            Plan::Route(_) => return Ok(ROUTE_OWNER.to_owned()),
            Plan::Direct(destination) => destination,
        };
        let provider = &*destination.provider;
        match self.models_of(provider).await {
            Ok(list) if !list.contains(&destination.model) => {
                let message =
                    format!("provider `{}` does not list a model `{}`", provider.name, destination.model);
                Err(Error::new(Kind::NotFound, MODEL_NOT_FOUND, message))
            }
            Ok(_) => Ok(provider.name.clone()),
            // any name is forwarded to a provider without a list
            Err(e) => {
                tracing::warn!(provider = provider.name, error = %e, "cannot read a provider's list of models");
                Ok(provider.name.clone())
            }
        }
    }

    async fn models_of(&self, provider: &Provider) -> Result<Vec<String>> {
        if !provider.config.models.is_empty() {
            return Ok(provider.config.models.clone());
        }
        let ttl = Duration::from_secs(self.0.config.models_ttl);
        if let Some((at, list)) = &*provider.model_list.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < ttl
        {
            return Ok(list.clone());
        }
        let list =
            tokio::time::timeout(TIMEOUT, self.fetch_models(provider)).await.map_err(Error::internal)??;
        *provider.model_list.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((Instant::now(), list.clone()));
        Ok(list)
    }

    async fn fetch_models(&self, provider: &Provider) -> Result<Vec<String>> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = provider.address(provider.wire.probe_path())?;
        for (name, value) in &provider.key(Instant::now()).headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        let response = self.0.client.send(request, provider.timeouts).await.map_err(Error::internal)?;
        let status = response.status();
        let body = read_all(&provider.name, response.into_body(), MAX_LIST_BYTES).await?;
        let list = if status.is_success() { provider.wire.model_ids(&body) } else { None };
        list.ok_or_else(|| Error::internal(format!("it responded with {status}, not with a list of models")))
    }
}
