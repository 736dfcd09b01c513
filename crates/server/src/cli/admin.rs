//! Shared arguments and connections of the commands.

use anyhow::{Result, ensure};
use chrono::{DateTime, Utc};
use clap::Args;
use loam_db::Db;
use loam_kernel::{Actor, Permissions, Scope, TenantId};

use crate::composition::Core;
use crate::config::Config;

/// The tenant of commands on a database, if none is named.
pub(super) const DEFAULT_TENANT: &str = "default";

/// The tenant of a command.
#[derive(Args)]
pub(super) struct TenantArg {
    /// Slug of the tenant [default: default; with --server the tenant of the key].
    #[arg(long, env = "LOAM_TENANT")]
    pub(super) tenant: Option<String>,
}

/// Options of a list.
#[derive(Args)]
pub(super) struct ListArgs {
    /// Maximum number of rows.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) limit: u64,
}

/// A time range of a list.
#[derive(Args)]
pub(super) struct TimeRange {
    /// Only rows of this time or later, such as 2030-01-31T00:00:00Z.
    #[arg(long)]
    pub(super) from: Option<DateTime<Utc>>,
    /// Only rows before this time.
    #[arg(long)]
    pub(super) to: Option<DateTime<Utc>>,
}

/// A number that JSON can express.
pub(super) fn finite(text: &str) -> Result<f64> {
    let number: f64 = text.parse()?;
    ensure!(number.is_finite(), "must be a finite number");
    Ok(number)
}

/// The scope of the command line, before a tenant is chosen.
pub(super) fn operator() -> Scope {
    Scope::new(TenantId::NIL, Actor::CommandLine, Permissions::all())
}

/// Connects to an existing database.
pub(super) async fn connect(config: &Config) -> Result<Db> {
    let file = config.data().join("loam.db");
    ensure!(
        config.database.url.is_some() || file.is_file(),
        "there is no database {}; run `loam serve` or `loam db migrate` first, or name another folder with --data",
        file.display()
    );
    Ok(Db::connect(&config.database, config.data()).await?)
}

/// The services on an existing database with the current schema.
pub(super) async fn core(config: &Config) -> Result<Core> {
    let db = connect(config).await?;
    db.require_current_schema().await?;
    Core::open(config, db, None).await
}

/// The services, with the scope of a tenant.
pub(super) async fn in_tenant(config: &Config, tenant: &TenantArg) -> Result<(Core, Scope)> {
    let core = core(config).await?;
    let slug = tenant.tenant.as_deref().unwrap_or(DEFAULT_TENANT);
    let tenant = core.identity.tenant_by_slug(&operator(), slug).await?;
    let scope = operator().in_tenant(tenant.id);
    Ok((core, scope))
}
