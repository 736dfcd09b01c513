//! `loam role`

use anyhow::Result;
use clap::Subcommand;
use loam_identity::roles::routes::RoleView;
use loam_identity::roles::service::{RoleCreate, RoleUpdate};
use loam_kernel::ExpectedVersion;

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

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

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, name, description, permissions } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let new = RoleCreate { name, description, permissions };
            output::one(json, &RoleView::from(core.identity.create_role(&scope, new).await?))
        }
        Command::List { tenant, list } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let rows =
                admin::pages(list.limit, async |page| core.identity.list_roles(&scope, &page).await).await?;
            let rows: Vec<RoleView> = rows.into_iter().map(RoleView::from).collect();
            output::rows(json, &rows, &["name", "permissions", "built_in", "description"])
        }
        Command::Show { tenant, name } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(json, &RoleView::from(core.identity.role_by_name(&scope, &name).await?))
        }
        Command::Update { tenant, name, description, permissions } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let role = core.identity.role_by_name(&scope, &name).await?;
            let permissions = (!permissions.is_empty()).then_some(permissions);
            let change = RoleUpdate { description, permissions };
            let role = core.identity.update_role(&scope, role.id(), &ExpectedVersion::any(), change).await?;
            output::one(json, &RoleView::from(role))
        }
        Command::Delete { tenant, name } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let role = core.identity.role_by_name(&scope, &name).await?;
            core.identity.delete_role(&scope, role.id()).await?;
            output::line(json, &format!("deleted role {name}"))
        }
    }
}
