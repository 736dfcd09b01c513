//! `loam compare`

use anyhow::Result;
use clap::Args;
use loam_kernel::{Clock, ProjectId};
use serde_json::{Value, json};

use super::admin::TenantArg;
use super::api::Backend;
use super::output;

#[derive(Args)]
pub(super) struct Command {
    #[command(flatten)]
    tenant: TenantArg,
    /// Project ID.
    #[arg(long)]
    project: ProjectId,
    /// The old version.
    before: String,
    /// The new version.
    after: String,
    /// Number of days, including today.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_100))]
    days: u32,
    /// Only this endpoint, as `GET /users/{id}`.
    #[arg(long)]
    endpoint: Option<String>,
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    let api = backend.api(&command.tenant).await?;
    let query = json!({
        "project_id": command.project, "base_version": command.before, "version": command.after,
        "from": Clock::system().now() - chrono::TimeDelta::days(command.days.into()),
        "endpoint": command.endpoint,
    });
    let compared = api.get("/api/v1/comparisons", query).await?;
    if json {
        return output::json(&compared);
    }
    let row = |kind: &str, one: &Value, time: &str| {
        let change = &one["changes"][time];
        let percent = |value: &Value| value.as_f64().map(|share| format!("{:+.1} %", share * 100.0));
        let interval = match (percent(&change["low"]), percent(&change["high"])) {
            (Some(low), Some(high)) => Some(format!("{low} to {high}")),
            _ => None,
        };
        let missing = |side: &str| {
            one[side][format!("missing_{}", if kind == "endpoint" { "requests" } else { "calls" })].as_i64()
        };
        let missing = match (missing("before"), missing("after")) {
            (Some(before), Some(after)) if before + after > 0 => {
                Some(format!("{before} before, {after} after"))
            }
            _ => None,
        };
        json!({
            "of": kind, "what": one[kind], "verdict": one["verdict"], "before_s": one["before"][time],
            "after_s": one["after"][time], "change": percent(&change["change"]), "interval_95": interval,
            "missing": missing,
        })
    };
    let all = |name: &str| compared[name].as_array().cloned().unwrap_or_default();
    let endpoints = all("endpoints").into_iter().map(|one| row("endpoint", &one, "mean"));
    let functions = all("functions").into_iter().map(|one| row("function", &one, "self_time"));
    let rows: Vec<Value> = endpoints.chain(functions).collect();
    output::rows(
        false,
        &rows,
        &["of", "what", "verdict", "before_s", "after_s", "change", "interval_95", "missing"],
    )
}
