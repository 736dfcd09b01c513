//! `loam project`

use anyhow::Result;
use clap::Subcommand;
use loam_identity::projects::routes::{ProjectCreated, ProjectView};
use loam_identity::projects::service::{MonitoringConfig, ProjectCreate, ProjectFilter};
use loam_kernel::UserId;
use serde_json::Map;

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

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

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, name, description, framework } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let new = ProjectCreate {
                name,
                description,
                framework,
                owner_id: None,
                config: MonitoringConfig::default(),
                tech_stack: Map::new(),
                timeline: Map::new(),
                deadline: None,
                metadata: Map::new(),
            };
            output::one(json, &ProjectCreated::from(core.identity.create_project(&scope, new).await?))
        }
        Command::List { tenant, framework, owner, list } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let filter = ProjectFilter { framework, owner_id: owner, ..ProjectFilter::default() };
            let rows = admin::pages(list.limit, async |page| {
                core.identity.list_projects(&scope, &filter, &page).await
            })
            .await?;
            let rows: Vec<ProjectView> = rows.into_iter().map(ProjectView::from).collect();
            output::rows(
                json,
                &rows,
                &["name", "framework", "monitoring_status", "delivery_status", "id", "created_at"],
            )
        }
    }
}
