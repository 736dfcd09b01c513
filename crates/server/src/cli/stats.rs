//! `loam stats`

use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use loam_insight::stats::{EndpointOrder, FunctionOrder, Granularity};
use loam_kernel::{Clock, ProjectId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::admin::TenantArg;
use super::api::Backend;
use super::output;

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
    /// The query, with the other parameters.
    fn query(&self, mut query: Value) -> Value {
        let to = self.to.unwrap_or_else(|| Clock::system().now());
        query["project_id"] = json!(self.project);
        query["from"] = json!(to - TimeDelta::hours(i64::from(self.hours)));
        query["to"] = json!(to);
        query["granularity"] = json!(self.granularity);
        query
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

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Endpoints { range, app_version, order, by_version, limit } => {
            let api = backend.api(&range.tenant).await?;
            let query = range.query(
                json!({ "version": app_version, "order": order, "by_version": by_version, "limit": limit }),
            );
            let sums = api.all("/api/v1/endpoint_stats", query).await?;
            output::rows(json, &sums, &fields(&["endpoint"], by_version, &ENDPOINT))
        }
        Command::Functions { range, app_version, order, by_version, limit } => {
            let api = backend.api(&range.tenant).await?;
            let query = range.query(
                json!({ "version": app_version, "order": order, "by_version": by_version, "limit": limit }),
            );
            let sums = api.all("/api/v1/function_stats", query).await?;
            output::rows(json, &sums, &fields(&["function"], by_version, &FUNCTION))
        }
        Command::Trend { range, endpoint, function, app_version, by_version } => {
            let api = backend.api(&range.tenant).await?;
            let query = range.query(json!({
                "endpoint": endpoint, "function": function, "version": app_version, "by_version": by_version,
            }));
            let (of, sums) = match function {
                Some(_) => ("function_stats", &FUNCTION),
                None => ("endpoint_stats", &ENDPOINT),
            };
            let rows = api.all(&format!("/api/v1/{of}/trend"), query).await?;
            output::rows(json, &rows, &fields(&["time"], by_version, sums))
        }
        Command::Versions { tenant, project } => {
            let api = backend.api(&tenant).await?;
            let rows = api.all("/api/v1/versions", json!({ "project_id": project })).await?;
            let fields = ["version", "first_seen", "last_seen", "requests", "errors", "avg_duration"];
            output::rows(json, &rows, &fields)
        }
    }
}
