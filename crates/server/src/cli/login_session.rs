//! `loam login-session`

use anyhow::Result;
use clap::Subcommand;
use loam_identity::login_sessions::routes::LoginSessionView;
use loam_identity::login_sessions::service::LoginSessionFilter;
use loam_kernel::{LoginSessionId, UserId};

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List login sessions, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
        /// Only sessions of this user.
        #[arg(long)]
        user: Option<UserId>,
    },
    /// End a login session. It is invalid within a second.
    Revoke {
        #[command(flatten)]
        tenant: TenantArg,
        /// Login session ID.
        id: LoginSessionId,
    },
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, user } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let filter = LoginSessionFilter { user_id: user };
            let rows = admin::pages(list.limit, async |page| {
                core.identity.list_login_sessions(&scope, &filter, &page).await
            });
            let rows: Vec<LoginSessionView> = rows.await?.into_iter().map(LoginSessionView::from).collect();
            output::rows(
                json,
                &rows,
                &["user_id", "ip_address", "last_seen_at", "expires_at", "revoked_at", "id"],
            )
        }
        Command::Revoke { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            core.identity.revoke_login_session(&scope, id).await?;
            output::line(json, &format!("revoked session {id}"))
        }
    }
}
