//! A snapshot of what a tenant can call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use loam_db::{Tenant, Tx};
use loam_http::client::Timeouts;
use loam_kernel::{LimitId, Result};
use loam_platform::seal::Keyring;
use uuid::Uuid;

use super::health::{CoolDown, Health, HealthRegistry};
use super::provider::Provider;
use crate::limits::admission::Limits;
use crate::limits::entity::SubjectType;
use crate::limits::meter::LimitValues;
use crate::model_prices::Price;
use crate::model_routes::{CoolDownRule, Retries, RouteTimeouts, Target, flatten};
use crate::{ai_providers, limits, model_prices, model_routes};

/// What a tenant can call.
pub(crate) struct Models {
    pub(crate) providers: HashMap<String, Arc<Provider>>,
    pub(crate) routes: HashMap<String, Arc<Route>>,
    pub(crate) limits: Limits,
    /// The limits of each end user, by the tenant or key whose end users these are.
    pub(crate) end_user_limits: HashMap<Uuid, (LimitId, LimitValues)>,
    /// The time of the latest change of a route or provider, in microseconds since 1970.
    pub(crate) version: i64,
    /// By provider, then by model.
    prices: HashMap<String, HashMap<String, Price>>,
}

/// A route, ready for use.
pub(crate) struct Route {
    pub(crate) alias: String,
    pub(crate) is_active: bool,
    /// Sorted by order; weights apply among targets of the same order.
    pub(crate) targets: Vec<RouteTarget>,
    pub(crate) timeouts: RouteTimeouts,
    pub(crate) retries: Retries,
    pub(crate) cool_down: CoolDown,
    pub(crate) cache: Option<Duration>,
}

/// One of a route's targets.
pub(crate) struct RouteTarget {
    pub(crate) destination: Arc<Destination>,
    pub(crate) order: u32,
    pub(crate) weight: f64,
}

/// A model at a provider.
pub(crate) struct Destination {
    pub(crate) provider: Arc<Provider>,
    pub(crate) model: String,
    /// Only for targets of routes: a client that names a model gets that model.
    pub(crate) health: Option<Health>,
}

impl Models {
    /// The price of a model at a provider: its own, or the one for all of the provider's models (`*`).
    pub(crate) fn price(&self, provider: &str, model: &str) -> Option<Price> {
        let prices = self.prices.get(provider)?;
        prices.get(model).or_else(|| prices.get("*")).copied()
    }

    /// The price of a model at a provider that others name: at the provider of that name, else at one with that host,
    /// else at the only one that has a price for the model.
    pub(crate) fn price_by(&self, called: &str, host: Option<&str>, model: &str) -> Option<Price> {
        let priced = |name: &str| self.price(name, model);
        let at_host = || {
            let host = host?;
            self.providers
                .values()
                .filter(|provider| provider.is_at(host))
                .find_map(|found| priced(&found.name))
        };
        let only = || {
            let mut all = self.prices.iter().filter(|(_, models)| models.contains_key(model));
            let (name, _) = all.next()?;
            all.next().is_none().then(|| priced(name)).flatten()
        };
        priced(called).or_else(at_host).or_else(only)
    }

    /// Reads providers, routes and prices.
    pub(super) async fn read(
        tx: &Tx<Tenant>,
        keyring: &Keyring,
        timeouts: Timeouts,
        health_registry: &HealthRegistry,
    ) -> Result<Self> {
        let mut providers = HashMap::new();
        let mut version = 0;
        for row in tx.find::<ai_providers::entity::Entity>().all().await? {
            let name = row.name.clone();
            version = version.max(row.updated_at.timestamp_micros());
            match Provider::new(keyring, timeouts, health_registry, row) {
                Ok(provider) => drop(providers.insert(name, Arc::new(provider))),
                // one invalid provider must not affect the others
                Err(e) => {
                    tracing::error!(provider = name, error = ?e, "a provider's configuration can't be used")
                }
            }
        }
        let mut prices: HashMap<String, HashMap<String, Price>> = HashMap::new();
        for row in tx.find::<model_prices::entity::Entity>().all().await? {
            let price = Price::from(&row);
            prices.entry(row.provider).or_default().insert(row.model, price);
        }
        let rows = tx.find::<model_routes::entity::Entity>().all().await?;
        let version = rows.iter().map(|row| row.updated_at.timestamp_micros()).fold(version, i64::max);
        let routes = routes(rows, &providers, health_registry);
        Ok(Self {
            providers,
            routes,
            limits: Limits::new(),
            end_user_limits: HashMap::new(),
            version,
            prices,
        })
    }

    /// The limits, by subject.
    pub(super) async fn limits(
        tx: &Tx<Tenant>,
    ) -> Result<HashMap<(SubjectType, Uuid), (LimitId, LimitValues)>> {
        let rows = tx.find::<limits::entity::Entity>().all().await?;
        let by_subject = |row: limits::entity::Model| {
            ((row.subject_type, row.subject_id), (row.id, LimitValues::from(&row)))
        };
        Ok(rows.into_iter().map(by_subject).collect())
    }
}

fn routes(
    rows: Vec<model_routes::entity::Model>,
    providers: &HashMap<String, Arc<Provider>>,
    health_registry: &HealthRegistry,
) -> HashMap<String, Arc<Route>> {
    let aliases: HashMap<String, Vec<Target>> = rows
        .iter()
        .filter_map(|row| Some((row.alias.clone(), serde_json::from_value(row.targets.clone()).ok()?)))
        .collect();
    let mut routes = HashMap::new();
    for row in rows {
        // a target whose provider was deleted is skipped: the others still respond
        let targets = flatten(&row.alias, &aliases).into_iter().filter_map(|target| {
            let provider = providers.get(&target.provider)?.clone();
            let health = health_registry.health(provider.id, format!("model {}", target.model));
            let destination = Destination { provider, model: target.model, health: Some(health) };
            Some(RouteTarget {
                destination: Arc::new(destination),
                order: target.order,
                weight: target.weight,
            })
        });
        let mut targets: Vec<RouteTarget> = targets.collect();
        targets.sort_by_key(|target| target.order);
        let cool_down: CoolDownRule = serde_json::from_value(row.cool_down).unwrap_or_default();
        let route = Route {
            is_active: row.is_active,
            targets,
            timeouts: serde_json::from_value(row.timeouts).unwrap_or_default(),
            retries: serde_json::from_value(row.retries).unwrap_or_default(),
            cool_down: cool_down.into(),
            cache: row.cache_seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs),
            alias: row.alias.clone(),
        };
        routes.insert(row.alias, Arc::new(route));
    }
    routes
}
