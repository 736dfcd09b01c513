//! `loam role`

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::admin::{ListArgs, TenantArg};
use super::api::{Api, Backend, set_fields};
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a role.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// Name that users are assigned.
        #[arg(long)]
        name: String,
        /// Description.
        #[arg(long, default_value = "")]
        description: String,
        /// A permission; can be repeated.
        #[arg(long = "permission", required = true)]
        permissions: Vec<String>,
    },
    /// List roles: the tenant's own, newest first, then the built-in ones.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a role.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Name of the role.
        name: String,
    },
    /// Change a role. The change applies to its users within a second.
    Update {
        #[command(flatten)]
        tenant: TenantArg,
        /// Name of the role.
        name: String,
        /// Description.
        #[arg(long)]
        description: Option<String>,
        /// A permission; can be repeated, and replaces the existing ones.
        #[arg(long = "permission")]
        permissions: Vec<String>,
    },
    /// Delete a role that is not in use.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// Name of the role.
        name: String,
    },
}

const PATH: &str = "/api/v1/roles";

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, name, description, permissions } => {
            let api = backend.api(&tenant).await?;
            let new = json!({ "name": name, "description": description, "permissions": permissions });
            output::one(json, &api.post(PATH, new).await?)
        }
        Command::List { tenant, list } => {
            let rows = backend.api(&tenant).await?.list(PATH, json!({}), list.limit).await?;
            output::rows(json, &rows, &["name", "permissions", "built_in", "description"])
        }
        Command::Show { tenant, name } => {
            output::one(json, &by_name(&backend.api(&tenant).await?, &name).await?)
        }
        Command::Update { tenant, name, description, permissions } => {
            let api = backend.api(&tenant).await?;
            let permissions = (!permissions.is_empty()).then_some(permissions);
            let change = set_fields(json!({ "description": description, "permissions": permissions }));
            let path = path(&by_name(&api, &name).await?);
            output::one(json, &api.patch(&path, change).await?)
        }
        Command::Delete { tenant, name } => {
            let api = backend.api(&tenant).await?;
            api.delete(&path(&by_name(&api, &name).await?)).await?;
            output::line(json, &format!("deleted role {name}"))
        }
    }
}

async fn by_name(api: &Api, name: &str) -> Result<Value> {
    let role = api.find(PATH, json!({ "name": name })).await?;
    role.with_context(|| format!("there is no role `{name}`; see `loam role list`"))
}

fn path(role: &Value) -> String {
    format!("{PATH}/{}", role["id"].as_str().unwrap_or_default())
}
