//! `loam session`

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result};
use axum::body::Body;
use bytes::Bytes;
use clap::{Args, Subcommand};
use loam_conversation::chat_sessions::entity::SessionStatus;
use loam_conversation::history::ImportMode;
use loam_kernel::{ChatSessionId, Error, ProjectId, UserId};
use serde_json::{Value, json};

use super::admin::{ListArgs, TenantArg};
use super::api::Backend;
use super::{export, output};

const PATH: &str = "/api/v1/chat_sessions";
/// Bytes per read of a file.
const CHUNK: usize = 256 << 10;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List sessions, most recent activity first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        filter: SessionFilterArgs,
    },
    /// Show one session.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Session ID.
        id: ChatSessionId,
    },
    /// Export sessions with their settings and messages as JSON Lines.
    Export {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        filter: SessionFilterArgs,
        /// The file to write [default: standard output].
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Import sessions as JSON Lines, from an export or another system.
    Import {
        #[command(flatten)]
        tenant: TenantArg,
        /// The file to read; `-` for standard input.
        file: PathBuf,
        /// On an error keep the sessions before it, to resume from there, instead of all or nothing.
        #[arg(long)]
        resumable: bool,
        /// Where to resume, as given in the error.
        #[arg(long, requires = "resumable", default_value_t = 1)]
        from_line: u64,
    },
    /// Delete a session; a running server deletes its messages.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// Session ID.
        id: ChatSessionId,
    },
}

/// Filters for sessions.
#[derive(Args)]
pub(super) struct SessionFilterArgs {
    /// Only sessions whose title contains this text.
    #[arg(long)]
    search: Option<String>,
    /// Only sessions of this user.
    #[arg(long)]
    user: Option<UserId>,
    /// Only sessions of this project.
    #[arg(long)]
    project: Option<ProjectId>,
    /// Only the session with this id of the application.
    #[arg(long)]
    external_id: Option<String>,
    /// Only archived sessions.
    #[arg(long, conflicts_with = "active")]
    archived: bool,
    /// Only active sessions.
    #[arg(long)]
    active: bool,
    /// Only sessions whose metadata has these fields, such as `{"plan":"pro"}`.
    #[arg(long)]
    metadata: Option<String>,
}

impl SessionFilterArgs {
    fn query(&self) -> Value {
        let status = match (self.archived, self.active) {
            (true, _) => Some(SessionStatus::Archived),
            (_, true) => Some(SessionStatus::Active),
            _ => None,
        };
        json!({
            "user_id": self.user, "project_id": self.project, "external_id": self.external_id, "search": self.search,
            "status": status, "metadata": self.metadata,
        })
    }
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, filter } => {
            let rows = backend.api(&tenant).await?.list(PATH, filter.query(), list.limit).await?;
            let fields = ["title", "status", "message_count", "last_activity", "user_id", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("{PATH}/{id}"), json!({})).await?)
        }
        Command::Export { tenant, filter, output: path } => {
            output::refuse_field("an export")?;
            let api = backend.api(&tenant).await?;
            let mut file = None;
            let last = api
                .lines(&format!("{PATH}/export"), filter.query(), |lines| match &path {
                    Some(path) => export::write(&mut file, path, lines),
                    None => output::bytes(lines),
                })
                .await?;
            let Some(file) = file else { return Ok(()) };
            file.sync_all()?;
            let (sessions, messages) = (&last["sessions"], &last["messages"]);
            output::line(json, &format!("wrote {sessions} sessions with {messages} messages"))
        }
        Command::Import { tenant, file, resumable, from_line } => {
            let file = open(&file)?;
            let api = backend.api(&tenant).await?;
            let query = if resumable {
                json!({ "mode": ImportMode::Resumable, "from_line": from_line })
            } else {
                json!({})
            };
            let lines = Body::from_stream(futures_util::stream::iter(chunks(file)));
            output::one(json, &api.send_lines(&format!("{PATH}/import"), query, lines).await?)
        }
        Command::Delete { tenant, id } => {
            backend.api(&tenant).await?.delete(&format!("{PATH}/{id}")).await?;
            output::line(json, &format!("deleted session {id}"))
        }
    }
}

fn open(path: &PathBuf) -> Result<Box<dyn Read + Send>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?))
}

/// The content of a file in chunks; blocking reads are acceptable on the command line.
fn chunks(mut file: Box<dyn Read + Send>) -> impl Iterator<Item = loam_kernel::Result<Bytes>> {
    std::iter::from_fn(move || {
        let mut chunk = vec![0; CHUNK];
        match file.read(&mut chunk) {
            Ok(0) => None,
            Ok(length) => {
                chunk.truncate(length);
                Some(Ok(Bytes::from(chunk)))
            }
            Err(e) => Some(Err(Error::invalid("file", format!("cannot be read: {e}")))),
        }
    })
}
