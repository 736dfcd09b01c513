//! `loam tenant`

use anyhow::{Context, Result};
use clap::Subcommand;
use loam_identity::tenants::TenantStatus;
use serde_json::json;

use super::admin::ListArgs;
use super::api::{Api, Backend, set_fields};
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a tenant with its first key.
    Create {
        /// Slug for URLs and the command line.
        #[arg(long)]
        slug: String,
        /// Display name [default: the slug].
        #[arg(long)]
        name: Option<String>,
        /// Name of the tenant's plan.
        #[arg(long)]
        plan: Option<String>,
    },
    /// List tenants, newest first.
    List {
        #[command(flatten)]
        list: ListArgs,
    },
    /// Suspend a tenant: it becomes read-only.
    Suspend {
        /// Slug of the tenant.
        slug: String,
    },
    /// Reactivate a tenant.
    Activate {
        /// Slug of the tenant.
        slug: String,
    },
}

const PATH: &str = "/api/v1/tenants";

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    let api = backend.tenants().await?;
    match command {
        Command::Create { slug, name, plan } => {
            let new = set_fields(json!({ "slug": slug, "name": name, "plan": plan }));
            output::one(json, &api.post(PATH, new).await?)
        }
        Command::List { list } => {
            let rows = api.list(PATH, json!({}), list.limit).await?;
            output::rows(json, &rows, &["slug", "name", "status", "plan", "id", "created_at"])
        }
        Command::Suspend { slug } => set_status(&api, &slug, TenantStatus::Suspended, json).await,
        Command::Activate { slug } => set_status(&api, &slug, TenantStatus::Active, json).await,
    }
}

async fn set_status(api: &Api, slug: &str, status: TenantStatus, json: bool) -> Result<()> {
    let tenant = api.find(PATH, json!({ "slug": slug })).await?;
    let tenant = tenant.with_context(|| format!("there is no tenant `{slug}`; see `loam tenant list`"))?;
    let id = tenant["id"].as_str().unwrap_or_default();
    output::one(json, &api.patch(&format!("{PATH}/{id}"), json!({ "status": status })).await?)
}
