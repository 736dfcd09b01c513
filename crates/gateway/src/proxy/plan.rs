//! The destinations of a call, and their order.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

use loam_kernel::{Error, Kind, Result};

use crate::catalog::{Availability, Destination, Models, Route, RouteTarget};

/// The maximum length of IDs that clients send.
pub(super) const MAX_ID: usize = 255;

/// The error code of a model that can't be called.
pub(super) const MODEL_NOT_FOUND: &str = "model_not_found";

/// The destinations of a call.
pub(super) enum Plan {
    /// The client named a model.
    Direct(Arc<Destination>),
    /// The client named a route.
    Route(Arc<Route>),
}

impl Plan {
    /// Resolves a client's `model`: a route by its alias, otherwise `provider/model`.
    pub(super) fn resolve(models: &Models, address: &str) -> Result<Self> {
        let unknown = |message: String| {
            let message = format!("{message}; GET /v1/models lists the available models");
            Error::new(Kind::NotFound, MODEL_NOT_FOUND, message).with_param("model")
        };
        if let Some(route) = models.routes.get(address) {
            return match (route.is_active, route.targets.is_empty()) {
                (true, false) => Ok(Self::Route(route.clone())),
                (false, _) => Err(unknown(format!("route `{address}` is not active"))),
                (true, true) => Err(unknown(format!("no provider of route `{address}` exists"))),
            };
        }
        let named = address.split_once('/').filter(|(name, model)| !name.is_empty() && !model.is_empty());
        let Some((name, model)) = named else {
            return Err(unknown(format!(
                "route `{address}` does not exist, and a model is named `provider/model`"
            )));
        };
        let provider = models.providers.get(name).filter(|provider| provider.is_active).ok_or_else(|| {
            let state = if models.providers.contains_key(name) { "is not active" } else { "does not exist" };
            unknown(format!("provider `{name}` of model `{address}` {state}"))
        })?;
        if model.len() > MAX_ID || provider.lacks_model(model) {
            return Err(unknown(format!("provider `{name}` has no model `{model}`")));
        }
        let destination = Destination { provider: provider.clone(), model: model.to_owned(), health: None };
        Ok(Self::Direct(Arc::new(destination)))
    }

    /// The route, if the client named one.
    pub(super) fn route(&self) -> Option<&Arc<Route>> {
        match self {
            Self::Direct(_) => None,
            Self::Route(route) => Some(route),
        }
    }

    /// All destinations, in the order of this pass: by `order`, within it randomly by weight. Those that are cooling
    /// down come last, the one that is available soonest first.
    pub(super) fn destinations(&self) -> Vec<Arc<Destination>> {
        match self {
            Self::Direct(destination) => vec![destination.clone()],
            Self::Route(route) => {
                let ranked = ranked(&route.targets, fastrand::f64);
                by_health(ranked, Instant::now())
            }
        }
    }

    /// All destinations, in no particular order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Destination>> {
        let (direct, route) = match self {
            Self::Direct(destination) => (Some(destination), [].as_slice()),
            Self::Route(route) => (None, route.targets.as_slice()),
        };
        direct.into_iter().chain(route.iter().map(|target| &target.destination))
    }
}

/// Sorts by order, within it randomly by weight.
fn ranked(targets: &[RouteTarget], mut random: impl FnMut() -> f64) -> Vec<&RouteTarget> {
    let active = targets.iter().filter(|target| {
        target.destination.provider.is_active
            && !target.destination.provider.lacks_model(&target.destination.model)
    });
    // with exponential waiting times of rate `weight`, the probability of being the smallest is proportional to the
    // weight
    let mut all: Vec<(u32, f64, &RouteTarget)> = active
        .map(|target| (target.order, -random().max(f64::MIN_POSITIVE).ln() / target.weight, target))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal)));
    all.into_iter().map(|(_, _, target)| target).collect()
}

fn by_health(ranked: Vec<&RouteTarget>, now: Instant) -> Vec<Arc<Destination>> {
    let (mut available, mut cooling_down) = (Vec::with_capacity(ranked.len()), Vec::new());
    for target in ranked {
        // `acquire` may start a trial, so it is called only until the first destination is available; the others are
        // fallbacks
        let condition = match &target.destination.health {
            Some(health) if available.is_empty() => health.acquire(now),
            Some(health) => health.peek(now),
            None => Availability::Available,
        };
        match condition {
            Availability::Available => available.push(target.destination.clone()),
            Availability::CoolingDown(until) => cooling_down.push((until, target.destination.clone())),
        }
    }
    cooling_down.sort_by_key(|(until, _)| *until);
    available.extend(cooling_down.into_iter().map(|(_, destination)| destination));
    available
}
