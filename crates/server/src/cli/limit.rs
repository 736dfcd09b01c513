//! `loam limit`

use std::str::FromStr;

use anyhow::{Result, bail};
use clap::Subcommand;
use loam_gateway::limits::entity::SubjectType;
use loam_kernel::LimitId;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::admin::{self, ListArgs, TenantArg};
use super::api::{Backend, set_fields};
use super::output;

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
        #[arg(long, value_name = "USD", value_parser = admin::finite)]
        budget_per_day: Option<f64>,
        /// US dollars per month.
        #[arg(long, value_name = "USD", value_parser = admin::finite)]
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
        budget_per_day: Option<Change<Usd>>,
        /// US dollars per month.
        #[arg(long, value_name = "USD|none")]
        budget_per_month: Option<Change<Usd>>,
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

/// An amount of US dollars.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Usd(f64);

impl FromStr for Usd {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        admin::finite(text).map(Self)
    }
}

/// A new value, or none.
#[derive(Clone, Copy)]
pub(super) struct Change<T>(Option<T>);

impl<T: Serialize> Change<T> {
    /// Null removes the value.
    fn value(self) -> Value {
        json!(self.0)
    }
}

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

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
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
            let api = backend.api(&tenant).await?;
            let new = set_fields(json!({
                "subject_type": subject_type,
                "subject_id": id,
                "requests_per_minute": requests_per_minute,
                "tokens_per_minute": tokens_per_minute,
                "concurrency": concurrency,
                "budget_per_day": budget_per_day,
                "budget_per_month": budget_per_month,
            }));
            output::one(json, &api.post("/api/v1/limits", new).await?)
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
            let api = backend.api(&tenant).await?;
            let mut change = Map::new();
            let mut set =
                |name: &str, value: Option<Value>| value.map(|value| change.insert(name.into(), value));
            set("requests_per_minute", requests_per_minute.map(Change::value));
            set("tokens_per_minute", tokens_per_minute.map(Change::value));
            set("concurrency", concurrency.map(Change::value));
            set("budget_per_day", budget_per_day.map(Change::value));
            set("budget_per_month", budget_per_month.map(Change::value));
            output::one(json, &api.patch(&format!("/api/v1/limits/{id}"), change.into()).await?)
        }
        Command::List { tenant, list } => {
            let rows = backend.api(&tenant).await?.list("/api/v1/limits", json!({}), list.limit).await?;
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
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("/api/v1/limits/{id}"), json!({})).await?)
        }
        Command::Delete { tenant, id } => {
            backend.api(&tenant).await?.delete(&format!("/api/v1/limits/{id}")).await?;
            output::line(json, &format!("deleted limit {id}"))
        }
    }
}
