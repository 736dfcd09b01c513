//! `loam session`

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::{Args, Subcommand};
use loam_conversation::chat_sessions::ChatSessionFilter;
use loam_conversation::chat_sessions::entity::SessionStatus;
use loam_conversation::chat_sessions::routes::ChatSessionView;
use loam_conversation::history::{ImportMode, ImportOptions};
use loam_kernel::{ChatSessionId, Error, OrderQuery, ProjectId, UserId};

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

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

impl From<SessionFilterArgs> for ChatSessionFilter {
    fn from(filter: SessionFilterArgs) -> Self {
        let status = match (filter.archived, filter.active) {
            (true, _) => Some(SessionStatus::Archived),
            (_, true) => Some(SessionStatus::Active),
            _ => None,
        };
        Self {
            user_id: filter.user,
            project_id: filter.project,
            external_id: filter.external_id,
            status,
            metadata: filter.metadata,
            ..Self::default()
        }
    }
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, filter } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let filter = ChatSessionFilter::from(filter);
            let rows = admin::pages(list.limit, async |page| {
                core.conversation
                    .sessions
                    .list_sessions(&scope, filter.clone(), &page, OrderQuery::default())
                    .await
            });
            let rows: Vec<ChatSessionView> = rows.await?.into_iter().map(ChatSessionView::from).collect();
            let fields = ["title", "status", "message_count", "last_activity", "user_id", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(
                json,
                &ChatSessionView::from(core.conversation.sessions.get_session(&scope, id).await?),
            )
        }
        Command::Export { tenant, filter, output } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let mut file = output.map(|path| create(&path)).transpose()?;
            let mut export = core.conversation.history.export(&scope, filter.into());
            while let Some(lines) = export.next().await? {
                match &mut file {
                    Some(file) => file.write_all(&lines)?,
                    None => output::bytes(&lines)?,
                }
            }
            let Some(file) = file else { return Ok(()) };
            file.sync_all()?;
            let (sessions, messages) = export.count();
            output::line(json, &format!("wrote {sessions} sessions with {messages} messages"))
        }
        Command::Import { tenant, file, resumable, from_line } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let options = if resumable {
                ImportOptions { mode: Some(ImportMode::Resumable), from_line: Some(from_line) }
            } else {
                ImportOptions::default()
            };
            let chunks = futures_util::stream::iter(chunks(open(&file)?));
            output::one(json, &core.conversation.history.import(&scope, chunks, options).await?)
        }
        Command::Delete { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            core.conversation.sessions.delete_session(&scope, id).await?;
            output::line(json, &format!("deleted session {id}"))
        }
    }
}

fn create(path: &PathBuf) -> Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

fn open(path: &PathBuf) -> Result<Box<dyn Read>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?))
}

/// The content of a file in chunks; blocking reads are acceptable on the command line.
fn chunks(mut file: Box<dyn Read>) -> impl Iterator<Item = loam_kernel::Result<Bytes>> {
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
