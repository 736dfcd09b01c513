//! `loam route`

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use loam_gateway::model_routes::{CoolDownRule, Retries, RouteTimeouts, Target};
use loam_kernel::ModelRouteId;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::admin::{ListArgs, TenantArg};
use super::api::{Backend, set_fields};
use super::output;

const PATH: &str = "/api/v1/model_routes";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a route.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// The alias, which clients send as `model`.
        #[arg(long)]
        alias: String,
        /// A target: `provider/model` or `route:alias`, optionally with `,order=N` and `,weight=N`. Repeat it for each target.
        #[arg(long, required = true, value_parser = target)]
        target: Vec<Target>,
        /// Timeout until the first byte of a response, in seconds.
        #[arg(long, value_name = "SECONDS")]
        first_token_timeout: Option<f64>,
        /// Timeout of a whole call including all attempts, in seconds.
        #[arg(long, value_name = "SECONDS")]
        total_timeout: Option<f64>,
        /// Number of retry rounds over the targets.
        #[arg(long, default_value_t = Retries::default().rounds)]
        rounds: u32,
        /// Seconds for which a response is cached for identical requests.
        #[arg(long, value_name = "SECONDS")]
        cache_seconds: Option<i32>,
        /// Replace the route that has this alias, if there is one.
        #[arg(long)]
        replace: bool,
    },
    /// List routes, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a route.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Route ID.
        id: ModelRouteId,
    },
    /// Test a route with one minimal call, which a running server makes: with --server.
    Test {
        #[command(flatten)]
        tenant: TenantArg,
        /// Route ID.
        id: ModelRouteId,
    },
    /// Delete a route.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// Route ID.
        id: ModelRouteId,
    },
}

/// Reads `provider/model,order=1,weight=3`.
fn target(text: &str) -> Result<Target> {
    let mut parts = text.split(',');
    let place = parts.next().unwrap_or_default();
    let mut target = match (place.strip_prefix("route:"), place.split_once('/')) {
        (Some(route), _) => Target { route: Some(route.to_owned()), ..Target::default() },
        (None, Some((provider, model))) => {
            Target { provider: Some(provider.to_owned()), model: Some(model.to_owned()), ..Target::default() }
        }
        _ => bail!("must be `provider/model` or `route:alias`, optionally with `,order=N` and `,weight=N`"),
    };
    target.weight = 1;
    for part in parts {
        let (name, number) = part.split_once('=').context("must be `order=N` or `weight=N`")?;
        let number = number.parse().with_context(|| format!("`{name}` must be a whole number"))?;
        match name {
            "order" => target.order = number,
            "weight" => target.weight = number,
            _ => bail!("must be `order=N` or `weight=N`"),
        }
    }
    Ok(target)
}

/// A change to exactly this object: all other fields of its type are removed.
fn exactly(object: &impl Serialize, fields: &[&str]) -> Map<String, Value> {
    let mut change: Map<String, Value> =
        fields.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    if let Value::Object(object) = json!(object) {
        change.extend(object);
    }
    change
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Create {
            tenant,
            alias,
            target,
            first_token_timeout,
            total_timeout,
            rounds,
            cache_seconds,
            replace,
        } => {
            let api = backend.api(&tenant).await?;
            let timeouts = RouteTimeouts {
                first_token: first_token_timeout,
                total: total_timeout,
                ..RouteTimeouts::default()
            };
            let (retries, cool_down) = (Retries { rounds, ..Retries::default() }, CoolDownRule::default());
            let old = if replace { api.find(PATH, json!({ "alias": alias })).await? } else { None };
            let route = match old {
                Some(old) => {
                    let change = json!({
                        "targets": target,
                        "timeouts": exactly(&timeouts, &["connect", "first_token", "idle", "total"]),
                        "retries": exactly(&retries, &[]),
                        "cool_down": exactly(&cool_down, &[]),
                        "cache_seconds": cache_seconds,
                        "is_active": true,
                    });
                    let id = old["id"].as_str().unwrap_or_default();
                    api.patch(&format!("{PATH}/{id}"), change).await?
                }
                None => {
                    let new = json!({
                        "alias": alias, "targets": target, "timeouts": timeouts, "retries": retries,
                        "cool_down": cool_down, "cache_seconds": cache_seconds,
                    });
                    api.post(PATH, set_fields(new)).await?
                }
            };
            output::one(json, &route)
        }
        Command::List { tenant, list } => {
            let rows = backend.api(&tenant).await?.list(PATH, json!({}), list.limit).await?;
            output::rows(json, &rows, &["alias", "targets", "cache_seconds", "is_active", "id"])
        }
        Command::Show { tenant, id } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("{PATH}/{id}"), json!({})).await?)
        }
        Command::Test { tenant, id } => {
            let test = backend.api(&tenant).await?.post(&format!("{PATH}/{id}/test"), None).await?;
            output::one(json, &test)?;
            test["error"].as_str().map_or(Ok(()), |error| bail!("{error}"))
        }
        Command::Delete { tenant, id } => {
            backend.api(&tenant).await?.delete(&format!("{PATH}/{id}")).await?;
            output::line(json, &format!("deleted route {id}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_from_one_word() {
        let read = target("openai/gpt-4o/mini,order=1,weight=3").expect("a target");
        assert_eq!((read.provider.as_deref(), read.model.as_deref()), (Some("openai"), Some("gpt-4o/mini")));
        assert_eq!((read.order, read.weight), (1, 3));
        let read = target("route:fast").expect("a target");
        assert_eq!((read.route.as_deref(), read.weight), (Some("fast"), 1));
        for wrong in ["", "gpt-4o", "a/b,heavy", "a/b,weight=x", "a/b,size=1"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
