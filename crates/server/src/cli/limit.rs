//! `loam limit`

use std::str::FromStr;

use anyhow::{Result, bail};
use clap::Subcommand;
use loam_gateway::limits::entity::SubjectType;
use loam_gateway::limits::service::{LimitCreate, LimitFilter, LimitUpdate};
use loam_kernel::{ExpectedVersion, LimitId};
use uuid::Uuid;

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Set a limit.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// Type of the subject: tenant, project, user, api_key, end_user (each end user for themselves).
        #[arg(long = "for", value_parser = subject_type)]
        subject_type: SubjectType,
        /// ID of the project, user or key; for end_user of the key, without it all end users of the tenant.
        #[arg(long)]
        id: Option<Uuid>,
        /// Calls per minute.
        #[arg(long)]
        requests_per_minute: Option<i64>,
        /// Tokens per minute.
        #[arg(long)]
        tokens_per_minute: Option<i64>,
        /// Concurrent calls.
        #[arg(long)]
        concurrency: Option<i64>,
        /// US dollars per day.
        #[arg(long, value_name = "USD")]
        budget_per_day: Option<f64>,
        /// US dollars per month.
        #[arg(long, value_name = "USD")]
        budget_per_month: Option<f64>,
    },
    /// Change a limit. Calls that begin within a second follow it. `none` removes one of its values.
    Update {
        #[command(flatten)]
        tenant: TenantArg,
        /// Limit ID.
        id: LimitId,
        /// Calls per minute.
        #[arg(long, value_name = "N|none")]
        requests_per_minute: Option<Change<i64>>,
        /// Tokens per minute.
        #[arg(long, value_name = "N|none")]
        tokens_per_minute: Option<Change<i64>>,
        /// Concurrent calls.
        #[arg(long, value_name = "N|none")]
        concurrency: Option<Change<i64>>,
        /// US dollars per day.
        #[arg(long, value_name = "USD|none")]
        budget_per_day: Option<Change<f64>>,
        /// US dollars per month.
        #[arg(long, value_name = "USD|none")]
        budget_per_month: Option<Change<f64>>,
    },
    /// List limits, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a limit.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Limit ID.
        id: LimitId,
    },
    /// Remove a limit.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// Limit ID.
        id: LimitId,
    },
}

/// A new value, or none.
#[derive(Clone, Copy)]
pub(super) struct Change<T>(Option<T>);

impl<T: FromStr> FromStr for Change<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(|value| Self(Some(value))) }
    }
}

fn subject_type(name: &str) -> Result<SubjectType> {
    match serde_json::from_value(name.into()) {
        Ok(kind) => Ok(kind),
        Err(_) => bail!("must be tenant, project, user, api_key or end_user"),
    }
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Create {
            tenant,
            subject_type,
            id,
            requests_per_minute,
            tokens_per_minute,
            concurrency,
            budget_per_day,
            budget_per_month,
        } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let new = LimitCreate {
                subject_type,
                subject_id: id,
                requests_per_minute,
                tokens_per_minute,
                concurrency,
                budget_per_day,
                budget_per_month,
            };
            let row = core.gateway.create_limit(&scope, new).await?;
            output::one(json, &core.gateway.view_limit(&scope, row).await?)
        }
        Command::Update {
            tenant,
            id,
            requests_per_minute,
            tokens_per_minute,
            concurrency,
            budget_per_day,
            budget_per_month,
        } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let change = LimitUpdate {
                requests_per_minute: requests_per_minute.map(|new| new.0),
                tokens_per_minute: tokens_per_minute.map(|new| new.0),
                concurrency: concurrency.map(|new| new.0),
                budget_per_day: budget_per_day.map(|new| new.0),
                budget_per_month: budget_per_month.map(|new| new.0),
            };
            let row = core.gateway.update_limit(&scope, id, &ExpectedVersion::any(), change).await?;
            output::one(json, &core.gateway.view_limit(&scope, row).await?)
        }
        Command::List { tenant, list } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let rows = admin::pages(list.limit, async |page| {
                core.gateway.list_limits(&scope, LimitFilter::default(), &page).await
            });
            let rows = core.gateway.view_limits(&scope, rows.await?).await?;
            let fields = [
                "subject_type",
                "subject_name",
                "subject_id",
                "requests_per_minute",
                "tokens_per_minute",
                "concurrency",
                "budget_per_day",
                "budget_per_month",
                "remaining",
                "id",
            ];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let row = core.gateway.get_limit(&scope, id).await?;
            output::one(json, &core.gateway.view_limit(&scope, row).await?)
        }
        Command::Delete { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            core.gateway.delete_limit(&scope, id).await?;
            output::line(json, &format!("deleted limit {id}"))
        }
    }
}
