//! `loam stats`

use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use loam_insight::stats::routes::{
    EndpointStatsQuery, EndpointTrendQuery, FunctionStatsQuery, FunctionTrendQuery,
};
use loam_insight::stats::{EndpointOrder, FunctionOrder, Granularity, RangeQuery, VersionsQuery};
use loam_kernel::ProjectId;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::admin::{self, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show the top endpoints of a project.
    Endpoints {
        #[command(flatten)]
        range: Range,
        /// Only requests of this version of the application.
        #[arg(long, alias = "version")]
        app_version: Option<String>,
        /// Sort order, highest first: total, p95, count, errors.
        #[arg(long, default_value = "total", value_parser = parse_enum::<EndpointOrder>)]
        order: EndpointOrder,
        /// Group by version.
        #[arg(long)]
        by_version: bool,
        /// Maximum number of rows.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Show the top functions of a project.
    Functions {
        #[command(flatten)]
        range: Range,
        /// Only calls in this version of the application.
        #[arg(long, alias = "version")]
        app_version: Option<String>,
        /// Sort order, highest first: self, total, p95, count, errors.
        #[arg(long, default_value = "self", value_parser = parse_enum::<FunctionOrder>)]
        order: FunctionOrder,
        /// Group by version.
        #[arg(long)]
        by_version: bool,
        /// Maximum number of rows.
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Show an endpoint, a function or all requests of a project over time.
    Trend {
        #[command(flatten)]
        range: Range,
        /// Only this endpoint.
        #[arg(long, conflicts_with = "function")]
        endpoint: Option<String>,
        /// Only this function: module.Class.name.
        #[arg(long)]
        function: Option<String>,
        /// Only this version of the application.
        #[arg(long, alias = "version")]
        app_version: Option<String>,
        /// Group by version.
        #[arg(long)]
        by_version: bool,
    },
    /// List the versions of a project.
    Versions {
        #[command(flatten)]
        tenant: TenantArg,
        /// Project ID.
        #[arg(long)]
        project: ProjectId,
    },
}

/// The project and time range.
#[derive(Args)]
pub(super) struct Range {
    #[command(flatten)]
    tenant: TenantArg,
    /// Project ID.
    #[arg(long)]
    project: ProjectId,
    /// Number of hours before `--to`.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=2208))]
    hours: u32,
    /// End of the time range [default: now].
    #[arg(long)]
    to: Option<DateTime<Utc>>,
    /// Bucket size: minute, hour, day.
    #[arg(long, value_parser = parse_enum::<Granularity>)]
    granularity: Option<Granularity>,
}

impl Range {
    fn query(&self, now: DateTime<Utc>) -> RangeQuery {
        let to = self.to.unwrap_or(now);
        RangeQuery {
            project_id: self.project,
            from: Some(to - TimeDelta::hours(i64::from(self.hours))),
            to: Some(to),
            granularity: self.granularity,
        }
    }
}

/// Parses the value of an enum.
fn parse_enum<T: DeserializeOwned>(text: &str) -> Result<T> {
    match serde_json::from_value(Value::from(text)) {
        Ok(value) => Ok(value),
        Err(e) => bail!("{e}"),
    }
}

const ENDPOINT: [&str; 7] = ["requests", "errors", "total_duration", "p50", "p95", "p99", "calls"];
const FUNCTION: [&str; 7] = ["calls", "errors", "self_time", "total_time", "p50", "p95", "query_count"];

fn fields<'a>(first: &[&'a str], by_version: bool, sums: &[&'a str]) -> Vec<&'a str> {
    let version = by_version.then_some("version");
    first.iter().copied().chain(version).chain(sums.iter().copied()).collect()
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Endpoints { range, app_version: version, order, by_version, limit } => {
            let (core, scope) = admin::in_tenant(config, &range.tenant).await?;
            let choice = EndpointStatsQuery {
                version,
                order,
                by_version,
                limit: Some(limit),
                ..EndpointStatsQuery::default()
            };
            let sums =
                core.insight.stats.top_endpoints(&scope, &range.query(core.clock.now()), &choice).await?;
            output::rows(json, &sums.data, &fields(&["endpoint"], by_version, &ENDPOINT))
        }
        Command::Functions { range, app_version: version, order, by_version, limit } => {
            let (core, scope) = admin::in_tenant(config, &range.tenant).await?;
            let choice = FunctionStatsQuery {
                version,
                order,
                by_version,
                limit: Some(limit),
                ..FunctionStatsQuery::default()
            };
            let sums =
                core.insight.stats.top_functions(&scope, &range.query(core.clock.now()), &choice).await?;
            output::rows(json, &sums.data, &fields(&["function"], by_version, &FUNCTION))
        }
        Command::Trend { range, endpoint, function: Some(function), app_version: version, by_version } => {
            debug_assert!(endpoint.is_none(), "clap lets only one of both through");
            let (core, scope) = admin::in_tenant(config, &range.tenant).await?;
            let of = FunctionTrendQuery { function, version, by_version };
            let sums = core.insight.stats.function_trend(&scope, &range.query(core.clock.now()), &of).await?;
            output::rows(json, &sums.data, &fields(&["time"], by_version, &FUNCTION))
        }
        Command::Trend { range, endpoint, function: None, app_version: version, by_version } => {
            let (core, scope) = admin::in_tenant(config, &range.tenant).await?;
            let of = EndpointTrendQuery { endpoint, version, by_version };
            let sums = core.insight.stats.endpoint_trend(&scope, &range.query(core.clock.now()), &of).await?;
            output::rows(json, &sums.data, &fields(&["time"], by_version, &ENDPOINT))
        }
        Command::Versions { tenant, project } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let query = VersionsQuery { project_id: project, from: None };
            let rows = core.insight.stats.list_versions(&scope, &query).await?;
            let fields = ["version", "first_seen", "last_seen", "requests", "errors", "avg_duration"];
            output::rows(json, &rows, &fields)
        }
    }
}
