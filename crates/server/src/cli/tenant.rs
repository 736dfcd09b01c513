//! `loam tenant`

use anyhow::Result;
use clap::Subcommand;
use loam_identity::tenants::TenantStatus;
use loam_identity::tenants::quotas::TenantQuotas;
use loam_identity::tenants::routes::{TenantCreated, TenantView};
use loam_identity::tenants::service::{TenantCreate, TenantUpdate};
use loam_kernel::ExpectedVersion;
use serde_json::Map;

use super::admin::{self, ListArgs};
use super::output;
use crate::config::Config;

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

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    let core = admin::core(config).await?;
    let scope = admin::operator();
    match command {
        Command::Create { slug, name, plan } => {
            let new = TenantCreate {
                slug,
                name,
                plan,
                quotas: TenantQuotas::default(),
                settings: Map::new(),
                metadata: Map::new(),
            };
            let (tenant, key) = core.identity.create_tenant(&scope, new).await?;
            output::one(json, &TenantCreated::new(tenant, key))
        }
        Command::List { list } => {
            let rows = admin::pages(list.limit, async |page| core.identity.list_tenants(&scope, &page).await)
                .await?;
            let rows: Vec<TenantView> = rows.into_iter().map(TenantView::from).collect();
            output::rows(json, &rows, &["slug", "name", "status", "plan", "id", "created_at"])
        }
        Command::Suspend { slug } => set_status(&core, &slug, TenantStatus::Suspended, json).await,
        Command::Activate { slug } => set_status(&core, &slug, TenantStatus::Active, json).await,
    }
}

async fn set_status(
    core: &crate::composition::Core,
    slug: &str,
    status: TenantStatus,
    json: bool,
) -> Result<()> {
    let scope = admin::operator();
    let tenant = core.identity.tenant_by_slug(&scope, slug).await?;
    let change = TenantUpdate { status: Some(status), ..TenantUpdate::default() };
    let tenant = core.identity.update_tenant(&scope, tenant.id, &ExpectedVersion::any(), change).await?;
    output::one(json, &TenantView::from(tenant))
}
