//! `loam suggestion`

use anyhow::{Result, bail};
use clap::Subcommand;
use loam_insight::suggestions::entity::SuggestionStatus;
use loam_kernel::{ProjectId, SuggestionId};
use serde_json::json;

use super::admin::{ListArgs, TenantArg};
use super::api::Backend;
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List suggestions, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only suggestions for this project.
        #[arg(long)]
        project: Option<ProjectId>,
        /// Only suggestions for this endpoint.
        #[arg(long)]
        endpoint: Option<String>,
        /// Only suggestions in this status: open, accepted, dismissed, done.
        #[arg(long, value_parser = status)]
        status: Option<SuggestionStatus>,
    },
    /// Show a suggestion.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Suggestion ID.
        id: SuggestionId,
    },
    /// Set the status of a suggestion.
    Set {
        #[command(flatten)]
        tenant: TenantArg,
        /// Suggestion ID.
        id: SuggestionId,
        /// The new status: open, accepted, dismissed or done.
        #[arg(value_parser = status)]
        status: SuggestionStatus,
    },
}

fn status(name: &str) -> Result<SuggestionStatus> {
    match serde_json::from_value(name.into()) {
        Ok(status) => Ok(status),
        Err(_) => bail!("must be open, accepted, dismissed or done"),
    }
}

const PATH: &str = "/api/v1/suggestions";

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, project, endpoint, status } => {
            let api = backend.api(&tenant).await?;
            let query = json!({ "project_id": project, "endpoint": endpoint, "status": status });
            let rows = api.list(PATH, query, list.limit).await?;
            let fields = [
                "endpoint",
                "version",
                "source",
                "priority",
                "status",
                "predicted_gain",
                "measured_gain",
                "title",
                "id",
            ];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("{PATH}/{id}"), json!({})).await?)
        }
        Command::Set { tenant, id, status } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.patch(&format!("{PATH}/{id}"), json!({ "status": status })).await?)
        }
    }
}
