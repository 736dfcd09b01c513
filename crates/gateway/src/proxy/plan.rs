//! Where a call may go, and in which order.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

use loam_kernel::{Error, Kind, Result};

use super::call::MAX_ID;
use crate::catalog::{Condition, Destination, Models, Route, RouteTarget};

/// Where a call may go.
pub(super) enum Plan {
    /// The client named the model itself.
    Direct(Arc<Destination>),
    /// The client named a route.
    Route(Arc<Route>),
}

impl Plan {
    /// What a client's `model` leads to: a route by its alias, otherwise `provider/model`.
    pub(super) fn resolve(models: &Models, address: &str) -> Result<Self> {
        let unknown = |message: String| {
            let message = format!("{message}; GET /v1/models lists what there is");
            Error::new(Kind::NotFound, "model_not_found", message).with_param("model")
        };
        if let Some(route) = models.routes.get(address) {
            return match (route.is_active, route.targets.is_empty()) {
                (true, false) => Ok(Self::Route(route.clone())),
                (false, _) => Err(unknown(format!("route `{address}` is not active"))),
                (true, true) => Err(unknown(format!("none of the providers of route `{address}` exists"))),
            };
        }
        let named = address.split_once('/').filter(|(name, model)| !name.is_empty() && !model.is_empty());
        let Some((name, model)) = named else {
            return Err(unknown(format!("there is no route `{address}`, and a model is `provider/model`")));
        };
        let provider = models.providers.get(name).filter(|provider| provider.is_active).ok_or_else(|| {
            let state = if models.providers.contains_key(name) { "is not active" } else { "does not exist" };
            unknown(format!("provider `{name}` of model `{address}` {state}"))
        })?;
        if model.len() > MAX_ID || provider.lacks(model) {
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

    /// Every destination, in the order in which they are tried this time: by order, within it by chance and weight;
    /// those that rest come last, the one whose rest is over soonest first, as a slim chance is better than none.
    pub(super) fn destinations(&self) -> Vec<Arc<Destination>> {
        match self {
            Self::Direct(destination) => vec![destination.clone()],
            Self::Route(route) => {
                let ranked = ranked(&route.targets, fastrand::f64);
                by_health(ranked, Instant::now())
            }
        }
    }

    /// Every destination, in no particular order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Destination>> {
        let (direct, route) = match self {
            Self::Direct(destination) => (Some(destination), [].as_slice()),
            Self::Route(route) => (None, route.targets.as_slice()),
        };
        direct.into_iter().chain(route.iter().map(|target| &target.destination))
    }
}

/// By order, within it by chance and weight.
fn ranked(targets: &[RouteTarget], mut chance: impl FnMut() -> f64) -> Vec<&RouteTarget> {
    let active = targets.iter().filter(|target| {
        target.destination.provider.is_active && !target.destination.provider.lacks(&target.destination.model)
    });
    // the least of waiting times that are exponential with rate `weight` is each one's with its share of chance
    let mut all: Vec<(u32, f64, &RouteTarget)> = active
        .map(|target| (target.order, -chance().max(f64::MIN_POSITIVE).ln() / target.weight, target))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal)));
    all.into_iter().map(|(_, _, target)| target).collect()
}

fn by_health(ranked: Vec<&RouteTarget>, now: Instant) -> Vec<Arc<Destination>> {
    let (mut well, mut resting) = (Vec::with_capacity(ranked.len()), Vec::new());
    for target in ranked {
        // whoever is looked at when its rest is over is on trial, so no more are looked at than can be used: the first
        // that is well ends the search, the others are for when it fails
        let condition = match &target.destination.health {
            Some(health) if well.is_empty() => health.look(now),
            Some(health) => health.glance(now),
            None => Condition::Well,
        };
        match condition {
            Condition::Well => well.push(target.destination.clone()),
            Condition::Resting(until) => resting.push((until, target.destination.clone())),
        }
    }
    resting.sort_by_key(|(until, _)| *until);
    well.extend(resting.into_iter().map(|(_, destination)| destination));
    well
}
