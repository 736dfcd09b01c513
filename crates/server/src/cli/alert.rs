//! `loam alert`

use anyhow::Result;
use clap::Subcommand;
use loam_kernel::{AlertEventId, ProjectId};
use serde_json::json;

use super::admin::{ListArgs, TenantArg};
use super::api::Backend;
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List alert rules with their states.
    Rules {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only for this project ID.
        #[arg(long)]
        project: Option<ProjectId>,
    },
    /// List incidents, newest first.
    Events {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only for this project ID.
        #[arg(long)]
        project: Option<ProjectId>,
        /// Only open incidents that nobody has acknowledged.
        #[arg(long)]
        open: bool,
    },
    /// Acknowledge an incident.
    Ack {
        #[command(flatten)]
        tenant: TenantArg,
        /// Incident ID.
        id: AlertEventId,
    },
    /// Resolve an incident.
    Resolve {
        #[command(flatten)]
        tenant: TenantArg,
        /// Incident ID.
        id: AlertEventId,
    },
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Rules { tenant, list, project } => {
            let api = backend.api(&tenant).await?;
            let rows = api.list("/api/v1/alert_rules", json!({ "project_id": project }), list.limit).await?;
            let fields =
                ["name", "metric", "comparison", "threshold", "last_value", "state", "is_active", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Events { tenant, list, project, open } => {
            let api = backend.api(&tenant).await?;
            let query = json!({ "project_id": project, "state": open.then_some("open") });
            let mut rows = api.list("/api/v1/alert_events", query, list.limit).await?;
            if json {
                return output::json(&rows);
            }
            for row in &mut rows {
                row["rule"] = row["context"]["rule"]["name"].take();
            }
            let fields =
                ["rule", "opened_at", "state", "severity", "value", "acknowledged_by", "resolved_at", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Ack { tenant, id } => act(backend, &tenant, id, "acknowledge", json).await,
        Command::Resolve { tenant, id } => act(backend, &tenant, id, "resolve", json).await,
    }
}

async fn act(
    backend: &Backend,
    tenant: &TenantArg,
    id: AlertEventId,
    action: &str,
    json: bool,
) -> Result<()> {
    let api = backend.api(tenant).await?;
    output::one(json, &api.post(&format!("/api/v1/alert_events/{id}/{action}"), None).await?)
}
