//! The state of a route's targets, as the node that responds knows it.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{ModelRouteId, Result, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Gateway;
use crate::catalog::RouteTarget;

/// Whether a target is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TargetState {
    /// It is called.
    Available,
    /// It has failed, and is called only after all others until its cool-down ends.
    CoolingDown,
    /// Its cool-down has ended: the next call tries it.
    Trial,
    /// Its provider is inactive, or doesn't have the model: it isn't called.
    Disabled,
}

/// The state of a target: a provider and model, also of a route that the route has as a target.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetHealth {
    /// Name of the provider.
    provider: String,
    /// Name of the model at the provider.
    model: String,
    /// Targets of a lower order are called first.
    order: u32,
    state: TargetState,
    /// Failures since the last success.
    failures: u32,
    /// When the cool-down ends; null unless it is cooling down.
    cooling_down_until: Option<DateTime<Utc>>,
}

impl TargetHealth {
    fn of(target: &RouteTarget, at: Instant, now: DateTime<Utc>) -> Self {
        let destination = &target.destination;
        let (failures, until) =
            destination.health.as_ref().map(|health| health.failures()).unwrap_or_default();
        let remaining = until.map(|until| until.saturating_duration_since(at));
        let is_disabled =
            !destination.provider.is_active || destination.provider.lacks_model(&destination.model);
        let state = match remaining {
            _ if is_disabled => TargetState::Disabled,
            None => TargetState::Available,
            Some(remaining) if remaining.is_zero() => TargetState::Trial,
            Some(_) => TargetState::CoolingDown,
        };
        let remaining = remaining.filter(|remaining| !remaining.is_zero());
        Self {
            provider: destination.provider.name.clone(),
            model: destination.model.clone(),
            order: target.order,
            state,
            failures,
            cooling_down_until: remaining.and_then(|left| Some(now + TimeDelta::from_std(left).ok()?)),
        }
    }
}

impl Gateway {
    /// The state of a route's targets on this node, in the order in which they are called.
    pub(crate) async fn route_health(&self, scope: &Scope, id: ModelRouteId) -> Result<Vec<TargetHealth>> {
        let alias = self.get_route(scope, id).await?.alias;
        let models = self.0.catalog.get(scope.tenant()).await?;
        let targets = models.routes.get(&alias).map(|route| route.targets.as_slice()).unwrap_or_default();
        let (at, now) = (Instant::now(), self.0.clock.now());
        Ok(targets.iter().map(|target| TargetHealth::of(target, at, now)).collect())
    }
}
