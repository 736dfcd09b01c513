//! `loam login-session`

use anyhow::Result;
use clap::Subcommand;
use loam_kernel::{LoginSessionId, UserId};
use serde_json::json;

use super::admin::{ListArgs, TenantArg};
use super::api::Backend;
use super::output;

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

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { tenant, list, user } => {
            let api = backend.api(&tenant).await?;
            let rows = api.list("/api/v1/login_sessions", json!({ "user_id": user }), list.limit).await?;
            output::rows(
                json,
                &rows,
                &["user_id", "ip_address", "last_seen_at", "expires_at", "revoked_at", "id"],
            )
        }
        Command::Revoke { tenant, id } => {
            backend.api(&tenant).await?.delete(&format!("/api/v1/login_sessions/{id}")).await?;
            output::line(json, &format!("revoked session {id}"))
        }
    }
}
