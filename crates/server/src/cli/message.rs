//! `loam message`

use anyhow::Result;
use clap::Subcommand;
use loam_conversation::messages::MessageFilter;
use loam_conversation::messages::routes::MessageView;
use loam_kernel::{ChatSessionId, MessageId, Order, OrderQuery, PageQuery};

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

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

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, session } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let rows = admin::pages(list.limit, async |page| {
                core.conversation
                    .messages
                    .list_messages(&scope, of(session), &page, OrderQuery::default())
                    .await
            });
            let rows: Vec<MessageView> = rows.await?.into_iter().map(MessageView::from).collect();
            output::rows(json, &rows, &["sequence_number", "role", "content", "created_at", "id"])
        }
        Command::Show { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(json, &MessageView::from(core.conversation.messages.get_message(&scope, id).await?))
        }
        Command::Export { tenant, session } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let mut page = PageQuery { limit: Some(loam_kernel::MAX_PAGE), cursor: None };
            let order = OrderQuery { order: Some(Order::Asc) };
            loop {
                let read =
                    core.conversation.messages.list_messages(&scope, of(session), &page, order).await?;
                let mut lines = Vec::new();
                for row in read.data {
                    serde_json::to_writer(&mut lines, &MessageView::from(row))?;
                    lines.push(b'\n');
                }
                output::bytes(&lines)?;
                page.cursor = read.next_cursor;
                if page.cursor.is_none() {
                    return Ok(());
                }
            }
        }
    }
}

fn of(session_id: ChatSessionId) -> MessageFilter {
    MessageFilter {
        session_id,
        role: None,
        turn_id: None,
        created_after: None,
        created_before: None,
        branch_of: None,
    }
}
