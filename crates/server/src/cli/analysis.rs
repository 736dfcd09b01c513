//! `loam analysis`

use anyhow::{Result, bail};
use clap::Subcommand;
use loam_insight::analyses::entity::AnalysisStatus;
use loam_kernel::{AiAnalysisResultId, PerformanceRecordId, ProjectId};
use serde_json::json;

use super::admin::{ListArgs, TenantArg};
use super::api::{Backend, set_fields};
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List analyses, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only analyses of this project.
        #[arg(long)]
        project: Option<ProjectId>,
        /// Only analyses of this endpoint.
        #[arg(long)]
        endpoint: Option<String>,
        /// Only analyses in this status: pending, completed, failed.
        #[arg(long, value_parser = status)]
        status: Option<AnalysisStatus>,
    },
    /// Show an analysis with its input and output.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Analysis ID.
        id: AiAnalysisResultId,
    },
    /// Request a model's analysis of a slow request. A running server performs it.
    Run {
        #[command(flatten)]
        tenant: TenantArg,
        /// Record ID of the request.
        #[arg(long, conflicts_with_all = ["project", "endpoint"], required_unless_present = "endpoint")]
        record: Option<PerformanceRecordId>,
        /// Project ID; with --endpoint its slowest request is analysed.
        #[arg(long, requires = "endpoint")]
        project: Option<ProjectId>,
        /// The endpoint.
        #[arg(long, requires = "project")]
        endpoint: Option<String>,
        /// Only a request of this version of the application.
        #[arg(long)]
        app_version: Option<String>,
        /// Model: a route or `provider/model` [default: from `insight.analysis`].
        #[arg(long)]
        model: Option<String>,
    },
}

fn status(name: &str) -> Result<AnalysisStatus> {
    match serde_json::from_value(name.into()) {
        Ok(status) => Ok(status),
        Err(_) => bail!("must be pending, completed or failed"),
    }
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, project, endpoint, status } => {
            let api = backend.api(&tenant).await?;
            let query = json!({ "project_id": project, "endpoint": endpoint, "status": status });
            let rows = api.list("/api/v1/ai_analysis_results", query, list.limit).await?;
            let fields =
                ["created_at", "analysis_type", "status", "endpoint", "version", "error_message", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("/api/v1/ai_analysis_results/{id}"), json!({})).await?)
        }
        Command::Run { tenant, record, project, endpoint, app_version, model } => {
            let api = backend.api(&tenant).await?;
            let new = set_fields(json!({
                "record_id": record, "project_id": project, "endpoint": endpoint, "version": app_version,
                "model": model,
            }));
            let begun = api.post("/api/v1/ai_analysis_results", new).await?;
            output::one(json, &begun)?;
            let id = begun["id"].as_str().unwrap_or_default();
            output::line(json, &format!("\nA running server performs it: see `loam analysis show {id}`"))
        }
    }
}
