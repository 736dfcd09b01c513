//! `loam message`

use anyhow::Result;
use clap::Subcommand;
use loam_kernel::{ChatSessionId, MessageId};
use serde_json::json;

use super::admin::{ListArgs, TenantArg};
use super::api::Backend;
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the messages of a session, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Session ID.
        #[arg(long)]
        session: ChatSessionId,
    },
    /// Show one message.
    Show {
        #[command(flatten)]
        tenant: TenantArg,
        /// Message ID.
        id: MessageId,
    },
    /// Print the messages of a session as JSON Lines, oldest first.
    Export {
        #[command(flatten)]
        tenant: TenantArg,
        /// Session ID.
        #[arg(long)]
        session: ChatSessionId,
    },
}

const PATH: &str = "/api/v1/messages";

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, session } => {
            let api = backend.api(&tenant).await?;
            let rows = api.list(PATH, json!({ "session_id": session }), list.limit).await?;
            output::rows(json, &rows, &["sequence_number", "role", "content", "created_at", "id"])
        }
        Command::Show { tenant, id } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.get(&format!("{PATH}/{id}"), json!({})).await?)
        }
        Command::Export { tenant, session } => {
            output::refuse_field("an export")?;
            let api = backend.api(&tenant).await?;
            let query = json!({ "session_id": session, "order": "asc" });
            api.pages(PATH, query, u64::MAX, |rows| {
                let mut lines = Vec::new();
                for row in rows {
                    serde_json::to_writer(&mut lines, &row)?;
                    lines.push(b'\n');
                }
                output::bytes(&lines)
            })
            .await
        }
    }
}
