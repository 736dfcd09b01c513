//! `loam audit`

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use loam_kernel::Scope;
use loam_platform::audit_logs::{Audit, Expected, Verification, verify_export};
use serde::Serialize;

use super::admin::{self, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Verify that no row of the audit trail was changed, removed, added or moved. Exit code 1 if one was.
    Verify {
        /// Slug of a tenant [default: every tenant].
        #[arg(long, conflicts_with = "file")]
        tenant: Option<String>,
        /// Verify an export file instead, without a database.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// A previously noted head (`sequence:hash`) that must be in the chain; for one tenant or file.
        #[arg(long, value_name = "HEAD", value_parser = expected)]
        expect_head: Option<Expected>,
    },
    /// Write a tenant's audit trail to a file, as JSON Lines with its hashes.
    Export {
        #[command(flatten)]
        tenant: TenantArg,
        /// The file, which must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// The result for one chain.
#[derive(Serialize)]
struct AuditResult {
    /// Slug of the tenant, or the file.
    #[serde(rename = "trail")]
    name: String,
    #[serde(flatten)]
    verification: Verification,
}

fn expected(text: &str) -> Result<Expected> {
    Ok(text.parse()?)
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Verify { tenant: None, file: None, expect_head: Some(_) } => {
            bail!("--expect-head applies to one chain: add --tenant or --file")
        }
        Command::Verify { file: Some(file), expect_head, .. } => {
            let open = File::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let verification = verify_export(BufReader::new(open), expect_head)?;
            show(json, vec![AuditResult { name: file.display().to_string(), verification }])
        }
        Command::Verify { tenant, file: None, expect_head } => {
            let core = admin::core(config).await?;
            let mut found = Vec::new();
            for (slug, scope) in tenants(&core, tenant).await? {
                let verification =
                    Audit::new(core.db.clone(), scope).verify(0, expect_head.clone(), None).await?;
                found.push(AuditResult { name: slug, verification });
            }
            show(json, found)
        }
        Command::Export { tenant, out } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let mut export = Audit::new(core.db, scope).export().await?;
            let mut file = new_file(&out)?;
            while let Some(lines) = export.next().await? {
                file.write_all(&lines).with_context(|| format!("cannot write {}", out.display()))?;
            }
            file.sync_all().with_context(|| format!("cannot write {}", out.display()))?;
            let head = export.head().text();
            if json {
                return output::json(
                    &serde_json::json!({ "file": out, "rows": export.rows(), "head": head }),
                );
            }
            output::line(false, &format!("wrote {} rows to {}; head {head}", export.rows(), out.display()))
        }
    }
}

/// An audit trail is confidential, so other users of the machine must not read it.
fn new_file(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).with_context(|| format!("cannot make {}", path.display()))
}

async fn tenants(core: &crate::composition::Core, one: Option<String>) -> Result<Vec<(String, Scope)>> {
    let operator = admin::operator();
    let rows = match one {
        Some(slug) => vec![core.identity.tenant_by_slug(&operator, &slug).await?],
        None => {
            admin::pages(u64::MAX, async |page| core.identity.list_tenants(&operator, &page).await).await?
        }
    };
    Ok(rows.into_iter().map(|row| (row.slug, operator.in_tenant(row.id))).collect())
}

fn show(json: bool, found: Vec<AuditResult>) -> Result<()> {
    let broken = found.iter().filter(|found| !found.verification.ok).count();
    if json {
        output::json(&found)?;
    } else {
        for AuditResult { name, verification } in &found {
            let state = if verification.ok { "intact" } else { "BROKEN" };
            let line = format!("{name}: {state}, {} rows, head {}", verification.rows, verification.head);
            output::line(false, &line)?;
            for fault in &verification.faults {
                output::line(false, &format!("  at {}: {}", fault.sequence, fault.what))?;
            }
            if verification.more_faults > 0 {
                output::line(false, &format!("  and {} more faults", verification.more_faults))?;
            }
        }
    }
    match broken {
        0 => Ok(()),
        _ => bail!("{broken} of {} audit trails are broken", found.len()),
    }
}
