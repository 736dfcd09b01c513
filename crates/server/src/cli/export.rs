//! `loam export`

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use loam_kernel::ChatSessionId;
use serde_json::json;

use super::admin::TenantArg;
use super::api::Backend;
use super::output;
use super::user::UserArg;

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
    /// User ID or login name.
    #[arg(long)]
    user: Option<UserArg>,
    /// The application's own id of an end user.
    #[arg(long)]
    end_user: Option<String>,
    /// Session ID.
    #[arg(long)]
    session: Option<ChatSessionId>,
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    let Command { tenant, of, output: path } = command;
    output::refuse_field("an export")?;
    let api = backend.api(&tenant).await?;
    let user = match of.user {
        Some(user) => Some(user.id(&api).await?),
        None => None,
    };
    let query = json!({ "user_id": user, "end_user": of.end_user, "session_id": of.session });
    let mut file = None;
    let last = api
        .lines("/api/v1/exports", query, |lines| match &path {
            Some(path) => write(&mut file, path, lines),
            None => output::bytes(lines),
        })
        .await?;
    let Some(file) = file else { return Ok(()) };
    file.sync_all()?;
    output::line(json, &format!("wrote {} rows", last["rows"]))
}

/// Writes to a file, which is created with the first lines: a refused export leaves none.
pub(super) fn write(file: &mut Option<File>, path: &PathBuf, lines: &[u8]) -> Result<()> {
    let create = || File::create(path);
    let done = match file {
        Some(file) => file.write_all(lines),
        None => create().and_then(|created| file.insert(created).write_all(lines)),
    };
    done.with_context(|| format!("cannot write {}", path.display()))
}
