//! `loam usage`

use anyhow::Result;
use clap::Subcommand;
use loam_kernel::Clock;
use serde_json::{Value, json};

use super::admin::TenantArg;
use super::api::Backend;
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show the usage of the last days.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Grouping, comma-separated: time, provider, model, api_key, user, project, source, and end_user or tag.
        #[arg(long, default_value = "provider,model")]
        by: String,
        /// Number of days, including today.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1000))]
        days: u32,
        /// Only calls of this end user, by the application's own id.
        #[arg(long)]
        end_user: Option<String>,
        /// Only calls with this tag.
        #[arg(long)]
        tag: Option<String>,
    },
    /// Show the statement of a month.
    Statement {
        #[command(flatten)]
        tenant: TenantArg,
        /// The month, such as 2026-11.
        month: String,
        /// Print it as CSV.
        #[arg(long)]
        csv: bool,
    },
}

/// The columns of every usage table, after the grouping columns.
const SUMS: [&str; 9] = [
    "calls",
    "refused",
    "errors",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cost_usd",
    "latency_p50_ms",
    "latency_p95_ms",
];

/// Makes a text of what was used besides tokens; returns the column, if a row has such a text.
fn show_quantities(rows: &mut [Value]) -> Option<&'static str> {
    let mut any = false;
    for row in rows {
        let used = row["quantities"].as_array().into_iter().flatten();
        let used: Vec<String> = used
            .map(|one| format!("{} {}", one["quantity"], one["unit"].as_str().unwrap_or_default()))
            .collect();
        any |= !used.is_empty();
        row["quantities"] = used.join(", ").into();
    }
    any.then_some("quantities")
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Show { tenant, by, days, end_user, tag } => {
            let api = backend.api(&tenant).await?;
            let from = Clock::system().now() - chrono::TimeDelta::days(i64::from(days) - 1);
            let query = json!({ "from": from, "group_by": by, "end_user": end_user, "tag": tag });
            let mut rows = api.all("/api/v1/usage", query).await?;
            let mut fields: Vec<&str> = Vec::new();
            for word in by.split(',').map(str::trim).filter(|word| !word.is_empty()) {
                match word {
                    "api_key" => fields.extend(["api_key_name", "api_key_id"]),
                    "user" => fields.extend(["user_name", "user_id"]),
                    "project" => fields.extend(["project_name", "project_id"]),
                    word => fields.push(word),
                }
            }
            fields.extend(SUMS);
            if !json {
                fields.extend(show_quantities(&mut rows));
            }
            output::rows(json, &rows, &fields)
        }
        Command::Statement { tenant, month, csv } => {
            let api = backend.api(&tenant).await?;
            let path = "/api/v1/statements";
            if csv {
                output::refuse_field("this format")?;
                let query = json!({ "month": month, "format": "csv" });
                return output::text(&api.text(path, query, "text/csv").await?);
            }
            let mut statement = api.get(path, json!({ "month": month })).await?;
            if json {
                return output::json(&statement);
            }
            let mut lines = statement["lines"].as_array_mut().map(std::mem::take).unwrap_or_default();
            lines.push(statement["total"].take());
            let quantities = show_quantities(&mut lines);
            let fields = ["project_name", "api_key_name", "provider", "model"].into_iter().chain(SUMS);
            let fields: Vec<&str> = fields.chain(quantities).collect();
            output::rows(false, &lines, &fields)
        }
    }
}
