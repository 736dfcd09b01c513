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

/// Bytes that are read of a file at once.
const CHUNK: usize = 256 << 10;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List sessions, those first in which something happened last.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        #[command(flatten)]
        which: Which,
    },
    /// Show one session.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Id of the session.
        id: ChatSessionId,
    },
    /// Write sessions with their settings and messages as JSON Lines.
    Export {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        which: Which,
        /// The file to write [default: standard output].
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Take sessions in, as JSON Lines that an export wrote or that come from elsewhere.
    Import {
        #[command(flatten)]
        tenant: TenantArg,
        /// The file to read; `-` for standard input.
        file: PathBuf,
        /// Keep what is before a fault, to go on from there, instead of all or nothing.
        #[arg(long)]
        resumable: bool,
        /// Where to go on, as the fault said.
        #[arg(long, requires = "resumable", default_value_t = 1)]
        from_line: u64,
    },
    /// Delete a session; a running server deletes its messages.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// Id of the session.
        id: ChatSessionId,
    },
}

/// Which sessions.
#[derive(Args)]
pub(super) struct Which {
    /// Only this user's.
    #[arg(long)]
    user: Option<UserId>,
    /// Only this application's.
    #[arg(long)]
    project: Option<ProjectId>,
    /// Only the one with this id of the application's own.
    #[arg(long)]
    external_id: Option<String>,
    /// Only those that are put away.
    #[arg(long, conflicts_with = "active")]
    archived: bool,
    /// Only those that go on.
    #[arg(long)]
    active: bool,
    /// Only those whose metadata has these fields, as `{"plan":"pro"}`.
    #[arg(long)]
    metadata: Option<String>,
}

impl From<Which> for ChatSessionFilter {
    fn from(which: Which) -> Self {
        let status = match (which.archived, which.active) {
            (true, _) => Some(SessionStatus::Archived),
            (_, true) => Some(SessionStatus::Active),
            _ => None,
        };
        Self {
            user_id: which.user,
            project_id: which.project,
            external_id: which.external_id,
            status,
            metadata: which.metadata,
            ..Self::default()
        }
    }
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, which } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let filter = ChatSessionFilter::from(which);
            let rows = admin::pages(list.limit, async |page| {
                core.conversation.list_sessions(&scope, filter.clone(), &page, OrderQuery::default()).await
            });
            let rows: Vec<ChatSessionView> = rows.await?.into_iter().map(ChatSessionView::from).collect();
            let fields = ["title", "status", "message_count", "last_activity", "user_id", "id"];
            output::rows(json, &rows, &fields)
        }
        Command::Show { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(json, &ChatSessionView::from(core.conversation.get_session(&scope, id).await?))
        }
        Command::Export { tenant, which, output } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let mut file = output.map(|path| create(&path)).transpose()?;
            let mut export = core.conversation.export(&scope, which.into());
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
            output::one(json, &core.conversation.import(&scope, chunks, options).await?)
        }
        Command::Delete { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            core.conversation.delete_session(&scope, id).await?;
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

/// What a file holds, piece by piece; reading it keeps nobody else waiting here.
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
