//! Where a route leads, through other routes too.

use std::collections::HashMap;

use loam_kernel::{Error, Result, bounded, slug};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Targets of one route.
const MAX_TARGETS: usize = 50;
/// Routes that lead to routes.
const MAX_DEPTH: usize = 3;
/// The greatest `order`: so many bits hold it.
const ORDER_BITS: u32 = 5;
const MAX_ORDER: u32 = (1 << ORDER_BITS) - 1;
const MAX_WEIGHT: u32 = 1000;

/// One place where calls may go: a model at a provider, or another route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name of the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Name of the model at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Alias of another route, in place of provider and model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Targets of a lower order are tried first, 0 to 31; 0 unless given.
    #[serde(default)]
    pub order: u32,
    /// The share of calls that begin with this target, among those of the same order, 0 to 1000; 1 unless given. With
    /// 0 it is tried only after the others.
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

/// A model that a route leads to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flat {
    pub(crate) provider: String,
    pub(crate) model: String,
    /// Lower ones are tried first.
    pub(crate) order: u32,
    pub(crate) weight: f64,
}

/// Refuses targets that make no sense by themselves.
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
            let message = format!("the weights of order {order} sum to nothing: no call would begin there");
            Err(Error::invalid("targets", message))
        }
        None => Ok(()),
    }
}

/// Refuses a set of routes in which one leads nowhere, back to itself, or through too many others. `alias` is the one
/// that is about to change, for the message.
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
        let shown = || format!("{} → {next}", path.join(" → "));
        let fault = if path.contains(&next) {
            Some(format!("the routes would go in a circle: {}", shown()))
        } else if !routes.contains_key(next) {
            Some(if last == alias {
                format!("there is no route `{next}`")
            } else {
                format!("route `{last}` leads to `{next}`, which would be gone")
            })
        } else if path.len() >= MAX_DEPTH {
            Some(format!("a route may lead through at most {} others: {}", MAX_DEPTH - 1, shown()))
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(Error::invalid("targets", fault));
        }
        path.push(next);
        walk(alias, routes, path)?;
        path.pop();
    }
    Ok(())
}

/// The models that a route leads to. A route among the targets shares out its own weight.
pub(crate) fn flatten(alias: &str, routes: &HashMap<String, Vec<Target>>) -> Vec<Flat> {
    let mut flat = Vec::new();
    spread(alias, routes, 0, 0, 1.0, &mut flat);
    flat
}

fn spread(
    alias: &str,
    routes: &HashMap<String, Vec<Target>>,
    depth: usize,
    order: u32,
    share: f64,
    flat: &mut Vec<Flat>,
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
            Target { provider: Some(provider), model: Some(model), .. } => {
                flat.push(Flat { provider: provider.clone(), model: model.clone(), order, weight })
            }
            Target { route: Some(next), .. } => spread(next, routes, depth + 1, order, weight, flat),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(provider: &str, order: u32, weight: u32) -> Target {
        let (provider, model) = (Some(provider.to_owned()), Some("m".to_owned()));
        Target { provider, model, order, weight, ..Target::default() }
    }

    fn via(route: &str, order: u32, weight: u32) -> Target {
        Target { route: Some(route.to_owned()), order, weight, ..Target::default() }
    }

    fn routes(all: &[(&str, &[Target])]) -> HashMap<String, Vec<Target>> {
        all.iter().map(|(alias, targets)| ((*alias).to_owned(), targets.to_vec())).collect()
    }

    #[test]
    fn a_route_within_a_route_shares_out_its_weight_and_keeps_its_order() {
        let all = routes(&[
            ("a", &[at("p", 0, 1), via("b", 0, 3), at("last", 1, 1)]),
            ("b", &[at("x", 0, 1), at("y", 0, 2), at("z", 1, 1)]),
        ]);
        let mut flat = flatten("a", &all);
        flat.sort_by_key(|target| target.order);
        let shown: Vec<(&str, f64)> = flat.iter().map(|t| (t.provider.as_str(), t.weight)).collect();
        assert_eq!(shown, [("p", 0.25), ("x", 0.25), ("y", 0.5), ("z", 0.75), ("last", 1.0)]);
        assert_eq!(flat[0].order, flat[1].order);
        assert!(flat[2].order < flat[3].order && flat[3].order < flat[4].order);
    }

    #[test]
    fn circles_and_dead_ends_are_refused_with_the_way() {
        let fault = |alias, all: &[(&str, &[Target])]| {
            check_all(alias, &routes(all)).expect_err("refused").message().to_owned()
        };
        let circle = fault("b", &[("a", &[via("b", 0, 1)]), ("b", &[via("a", 0, 1)])]);
        assert!(circle.contains("circle") && circle.contains("a → b"), "{circle}");
        assert!(fault("a", &[("a", &[via("a", 0, 1)])]).contains("a → a"));
        assert!(fault("a", &[("a", &[via("gone", 0, 1)])]).contains("no route `gone`"));
        assert!(fault("x", &[("a", &[via("x", 0, 1)])]).contains("would be gone"));
        let deep =
            [("a", via("b", 0, 1)), ("b", via("c", 0, 1)), ("c", via("d", 0, 1)), ("d", at("p", 0, 1))];
        let deep: HashMap<String, Vec<Target>> =
            deep.into_iter().map(|(alias, target)| (alias.to_owned(), vec![target])).collect();
        assert!(check_all("a", &deep).expect_err("refused").message().contains("at most 2"));
    }

    #[test]
    fn targets_that_make_no_sense_are_refused_by_place() {
        let param = |targets: &[Target]| check(targets).expect_err("refused").param().map(str::to_owned);
        assert_eq!(param(&[]), Some("targets".to_owned()));
        assert_eq!(param(&[at("p", 0, 0), at("q", 0, 0)]), Some("targets".to_owned()));
        assert_eq!(param(&[at("p", 99, 1)]), Some("targets.0.order".to_owned()));
        assert_eq!(param(&[at("p", 0, 5000)]), Some("targets.0.weight".to_owned()));
        let both = Target { route: Some("r".to_owned()), ..at("p", 0, 1) };
        assert_eq!(param(&[at("p", 0, 1), both]), Some("targets.1".to_owned()));
        assert!(check(&[at("p", 0, 1), at("q", 0, 0), at("q", 1, 3)]).is_ok());
    }
}
