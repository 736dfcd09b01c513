//! `loam project`

use anyhow::Result;
use clap::Subcommand;
use loam_kernel::UserId;
use serde_json::json;

use super::admin::{ListArgs, TenantArg};
use super::api::{Backend, set_fields};
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a project with its ingest key.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// Name, unique in the tenant.
        #[arg(long)]
        name: String,
        /// Description.
        #[arg(long)]
        description: Option<String>,
        /// Framework: flask, django, fastapi, ….
        #[arg(long)]
        framework: Option<String>,
    },
    /// List projects, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        /// Only projects of this framework.
        #[arg(long)]
        framework: Option<String>,
        /// Only projects of this owner.
        #[arg(long)]
        owner: Option<UserId>,
        #[command(flatten)]
        list: ListArgs,
    },
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, name, description, framework } => {
            let api = backend.api(&tenant).await?;
            let new = json!({ "name": name, "description": description, "framework": framework });
            output::one(json, &api.post("/api/v1/projects", set_fields(new)).await?)
        }
        Command::List { tenant, framework, owner, list } => {
            let api = backend.api(&tenant).await?;
            let query = json!({ "framework": framework, "owner_id": owner });
            let rows = api.list("/api/v1/projects", query, list.limit).await?;
            output::rows(
                json,
                &rows,
                &["name", "framework", "monitoring_status", "delivery_status", "id", "created_at"],
            )
        }
    }
}
