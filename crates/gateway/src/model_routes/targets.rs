//! Resolves the targets of a route, through other routes too.

use std::collections::HashMap;

use loam_kernel::{Error, Result, bounded, slug};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Maximum targets of one route.
const MAX_TARGETS: usize = 50;
/// Maximum depth of nested routes.
const MAX_DEPTH: usize = 3;
/// Bits of `order`, and its maximum.
const ORDER_BITS: u32 = 5;
const MAX_ORDER: u32 = (1 << ORDER_BITS) - 1;
const MAX_WEIGHT: u32 = 1000;

/// A target of calls: a model at a provider, or another route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider: Option<String>,
    /// Name of the model at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub model: Option<String>,
    /// Alias of another route, in place of provider and model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub route: Option<String>,
    /// Targets of a lower order are called first, 0 to 31; defaults to 0.
    #[serde(default)]
    #[schema(default = 0)]
    pub order: u32,
    /// The share of calls that start with this target, among those of the same order, 0 to 1000; defaults to 1. With
    /// 0 it is called only after the others.
    #[serde(default = "one")]
    #[schema(default = 1)]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

/// A model that a route resolves to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResolvedTarget {
    pub(crate) provider: String,
    pub(crate) model: String,
    /// Lower ones are called first.
    pub(crate) order: u32,
    pub(crate) weight: f64,
}

/// Rejects targets that are invalid by themselves.
pub(super) fn check(targets: &[Target]) -> Result<()> {
    if targets.is_empty() || targets.len() > MAX_TARGETS {
        return Err(Error::invalid("targets", format!("must be 1 to {MAX_TARGETS} targets")));
    }
    let mut weights: HashMap<u32, u64> = HashMap::new();
    for (i, target) in targets.iter().enumerate() {
        let param = |field: &str| format!("targets.{i}.{field}");
        match (&target.provider, &target.model, &target.route) {
            (Some(provider), Some(model), None) => {
                slug(&param("provider"), provider, 50)?;
                bounded(&param("model"), model, 200)?;
            }
            (None, None, Some(route)) => bounded(&param("route"), route, 200)?,
            _ => {
                let message = "must name a `provider` and its `model`, or another `route`";
                return Err(Error::invalid(format!("targets.{i}"), message));
            }
        }
        if target.order > MAX_ORDER {
            return Err(Error::invalid(param("order"), format!("must be 0 to {MAX_ORDER}")));
        }
        if target.weight > MAX_WEIGHT {
            return Err(Error::invalid(param("weight"), format!("must be 0 to {MAX_WEIGHT}")));
        }
        *weights.entry(target.order).or_default() += u64::from(target.weight);
    }
    match weights.into_iter().find(|(_, sum)| *sum == 0) {
        Some((order, _)) => {
            let message = format!("the weights of order {order} sum to 0: no call would start there");
            Err(Error::invalid("targets", message))
        }
        None => Ok(()),
    }
}

/// Rejects a set of routes in which one has an unknown target, is in a cycle, or is nested too deeply. `alias` is the
/// route that is about to change, for the message.
pub(super) fn check_all(alias: &str, routes: &HashMap<String, Vec<Target>>) -> Result<()> {
    for start in routes.keys() {
        let mut path = vec![start.as_str()];
        walk(alias, routes, &mut path)?;
    }
    Ok(())
}

fn walk<'a>(alias: &str, routes: &'a HashMap<String, Vec<Target>>, path: &mut Vec<&'a str>) -> Result<()> {
    let Some(last) = path.last().copied() else { return Ok(()) };
    for next in routes.get(last).into_iter().flatten().filter_map(|target| target.route.as_deref()) {
        let path_text = || format!("{} → {next}", path.join(" → "));
        let error = if path.contains(&next) {
            Some(format!("the routes would form a cycle: {}", path_text()))
        } else if !routes.contains_key(next) {
            Some(if last == alias {
                format!("route `{next}` does not exist")
            } else {
                format!("route `{last}` has `{next}` as a target, which would not exist any more")
            })
        } else if path.len() >= MAX_DEPTH {
            Some(format!("a route may be nested in at most {} others: {}", MAX_DEPTH - 1, path_text()))
        } else {
            None
        };
        if let Some(error) = error {
            return Err(Error::invalid("targets", error));
        }
        path.push(next);
        walk(alias, routes, path)?;
        path.pop();
    }
    Ok(())
}

/// The models that a route resolves to. The weight of a nested route is divided among its targets.
pub(crate) fn flatten(alias: &str, routes: &HashMap<String, Vec<Target>>) -> Vec<ResolvedTarget> {
    let mut resolved = Vec::new();
    resolve_into(alias, routes, 0, 0, 1.0, &mut resolved);
    resolved
}

fn resolve_into(
    alias: &str,
    routes: &HashMap<String, Vec<Target>>,
    depth: usize,
    order: u32,
    share: f64,
    resolved: &mut Vec<ResolvedTarget>,
) {
    if depth == MAX_DEPTH {
        return;
    }
    for target in routes.get(alias).into_iter().flatten() {
        let below = MAX_DEPTH - 1 - depth;
        let order = order | target.order << (ORDER_BITS * u32::try_from(below).unwrap_or(0));
        let siblings = routes[alias].iter().filter(|other| other.order == target.order);
        let sum: u32 = siblings.map(|other| other.weight).sum();
        let weight = share * f64::from(target.weight) / f64::from(sum.max(1));
        match target {
            Target { provider: Some(provider), model: Some(model), .. } => resolved.push(ResolvedTarget {
                provider: provider.clone(),
                model: model.clone(),
                order,
                weight,
            }),
            Target { route: Some(next), .. } => {
                resolve_into(next, routes, depth + 1, order, weight, resolved)
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model_target(provider: &str, order: u32, weight: u32) -> Target {
        let (provider, model) = (Some(provider.to_owned()), Some("m".to_owned()));
        Target { provider, model, order, weight, ..Target::default() }
    }

    fn route_target(route: &str, order: u32, weight: u32) -> Target {
        Target { route: Some(route.to_owned()), order, weight, ..Target::default() }
    }

    fn routes(all: &[(&str, &[Target])]) -> HashMap<String, Vec<Target>> {
        all.iter().map(|(alias, targets)| ((*alias).to_owned(), targets.to_vec())).collect()
    }

    #[test]
    fn a_nested_route_divides_its_weight_and_keeps_its_order() {
        let all = routes(&[
            ("a", &[model_target("p", 0, 1), route_target("b", 0, 3), model_target("last", 1, 1)]),
            ("b", &[model_target("x", 0, 1), model_target("y", 0, 2), model_target("z", 1, 1)]),
        ]);
        let mut resolved = flatten("a", &all);
        resolved.sort_by_key(|target| target.order);
        let shares: Vec<(&str, f64)> = resolved.iter().map(|t| (t.provider.as_str(), t.weight)).collect();
        assert_eq!(shares, [("p", 0.25), ("x", 0.25), ("y", 0.5), ("z", 0.75), ("last", 1.0)]);
        assert_eq!(resolved[0].order, resolved[1].order);
        assert!(resolved[2].order < resolved[3].order && resolved[3].order < resolved[4].order);
    }

    #[test]
    fn cycles_and_unknown_routes_are_rejected_with_the_path() {
        let error = |alias, all: &[(&str, &[Target])]| {
            check_all(alias, &routes(all)).expect_err("refused").message().to_owned()
        };
        let cycle = error("b", &[("a", &[route_target("b", 0, 1)]), ("b", &[route_target("a", 0, 1)])]);
        assert!(cycle.contains("cycle") && cycle.contains("a → b"), "{cycle}");
        assert!(error("a", &[("a", &[route_target("a", 0, 1)])]).contains("a → a"));
        assert!(
            error("a", &[("a", &[route_target("missing", 0, 1)])]).contains("route `missing` does not exist")
        );
        assert!(error("x", &[("a", &[route_target("x", 0, 1)])]).contains("would not exist"));
        let deep = [
            ("a", route_target("b", 0, 1)),
            ("b", route_target("c", 0, 1)),
            ("c", route_target("d", 0, 1)),
            ("d", model_target("p", 0, 1)),
        ];
        let deep: HashMap<String, Vec<Target>> =
            deep.into_iter().map(|(alias, target)| (alias.to_owned(), vec![target])).collect();
        assert!(check_all("a", &deep).expect_err("refused").message().contains("at most 2"));
    }

    #[test]
    fn invalid_targets_are_rejected_with_the_path() {
        let param = |targets: &[Target]| check(targets).expect_err("refused").param().map(str::to_owned);
        assert_eq!(param(&[]), Some("targets".to_owned()));
        assert_eq!(param(&[model_target("p", 0, 0), model_target("q", 0, 0)]), Some("targets".to_owned()));
        assert_eq!(param(&[model_target("p", 99, 1)]), Some("targets.0.order".to_owned()));
        assert_eq!(param(&[model_target("p", 0, 5000)]), Some("targets.0.weight".to_owned()));
        let both = Target { route: Some("r".to_owned()), ..model_target("p", 0, 1) };
        assert_eq!(param(&[model_target("p", 0, 1), both]), Some("targets.1".to_owned()));
        assert!(check(&[model_target("p", 0, 1), model_target("q", 0, 0), model_target("q", 1, 3)]).is_ok());
    }
}
