//! `loam route`

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use loam_gateway::Gateway;
use loam_gateway::model_routes::routes::ModelRouteView;
use loam_gateway::model_routes::service::{ModelRouteCreate, ModelRouteFilter, ModelRouteUpdate};
use loam_gateway::model_routes::{CoolDownRule, Retries, RouteTimeouts, Target};
use loam_kernel::{ExpectedVersion, ModelRouteId, PageQuery, Scope};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

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

/// The route with this alias.
async fn find(gateway: &Gateway, scope: &Scope, alias: &str) -> Result<Option<ModelRouteId>> {
    let filter = ModelRouteFilter { alias: Some(alias.to_owned()), ..ModelRouteFilter::default() };
    let page = PageQuery { limit: Some(1), cursor: None };
    Ok(gateway.list_routes(scope, filter, &page).await?.data.pop().map(|row| row.id))
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

/// A change of all that the command line sets.
fn replacement(new: ModelRouteCreate) -> ModelRouteUpdate {
    ModelRouteUpdate {
        targets: Some(new.targets),
        timeouts: Some(exactly(&new.timeouts, &["connect", "first_token", "idle", "total"])),
        retries: Some(exactly(&new.retries, &[])),
        cool_down: Some(exactly(&new.cool_down, &[])),
        cache_seconds: Some(new.cache_seconds),
        is_active: Some(true),
        metadata: None,
    }
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
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
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let new = ModelRouteCreate {
                alias,
                targets: target,
                timeouts: RouteTimeouts {
                    first_token: first_token_timeout,
                    total: total_timeout,
                    ..RouteTimeouts::default()
                },
                retries: Retries { rounds, ..Retries::default() },
                cool_down: CoolDownRule::default(),
                cache_seconds,
                is_active: None,
                metadata: Map::new(),
            };
            let old = if replace { find(&core.gateway, &scope, &new.alias).await? } else { None };
            let row = match old {
                Some(old) => {
                    core.gateway.update_route(&scope, old, &ExpectedVersion::any(), replacement(new)).await?
                }
                None => core.gateway.create_route(&scope, new).await?,
            };
            output::one(json, &ModelRouteView::from(row))
        }
        Command::List { tenant, list } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let rows = admin::pages(list.limit, async |page| {
                core.gateway.list_routes(&scope, ModelRouteFilter::default(), &page).await
            });
            let rows: Vec<ModelRouteView> = rows.await?.into_iter().map(ModelRouteView::from).collect();
            output::rows(json, &rows, &["alias", "targets", "cache_seconds", "is_active", "id"])
        }
        Command::Show { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(json, &ModelRouteView::from(core.gateway.get_route(&scope, id).await?))
        }
        Command::Delete { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            core.gateway.delete_route(&scope, id).await?;
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
