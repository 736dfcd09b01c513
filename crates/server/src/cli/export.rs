//! `loam export`

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use loam_identity::exports::ExportOf;
use loam_kernel::{ChatSessionId, UserId};

use super::admin::{self, TenantArg};
use super::output;
use crate::config::Config;

/// The subject and output of an export.
#[derive(Args)]
pub(super) struct Command {
    #[command(flatten)]
    tenant: TenantArg,
    #[command(flatten)]
    of: ExportSubject,
    /// Write to this file instead of standard output.
    #[arg(long, short)]
    output: Option<PathBuf>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct ExportSubject {
    /// User ID.
    #[arg(long)]
    user: Option<UserId>,
    /// The application's own id of an end user.
    #[arg(long)]
    end_user: Option<String>,
    /// Session ID.
    #[arg(long)]
    session: Option<ChatSessionId>,
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    let Command { tenant, of, output: path } = command;
    let (core, scope) = admin::in_tenant(config, &tenant).await?;
    let of = ExportOf { user_id: of.user, end_user: of.end_user, session_id: of.session };
    let mut export = core.identity.export_person(&scope, of).await?;
    let create =
        |path: &PathBuf| File::create(path).with_context(|| format!("cannot write {}", path.display()));
    let mut file = path.as_ref().map(create).transpose()?;
    while let Some(lines) = export.next().await? {
        match &mut file {
            Some(file) => file.write_all(&lines)?,
            None => output::bytes(&lines)?,
        }
    }
    let Some(file) = file else { return Ok(()) };
    file.sync_all()?;
    output::line(json, &format!("wrote {} rows", export.rows()))
}
