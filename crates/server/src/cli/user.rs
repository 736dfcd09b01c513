//! `loam user`

use std::io::Read;

use anyhow::{Context, Result};
use clap::Subcommand;
use loam_identity::users::routes::UserView;
use loam_identity::users::service::{UserCreate, UserFilter};
use loam_kernel::UserId;
use serde_json::Map;

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a user.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// Name to log in with.
        #[arg(long)]
        username: String,
        /// E-mail address.
        #[arg(long)]
        email: String,
        /// Name for people.
        #[arg(long)]
        full_name: Option<String>,
        /// A role; can be given several times [default: user].
        #[arg(long = "role")]
        roles: Vec<String>,
        /// Read the password from standard input, so that it is in no list of processes.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List users, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Delete a user, with the user's keys.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// Id of the user.
        id: UserId,
    },
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, username, email, full_name, roles, password_stdin } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let new = UserCreate {
                username,
                email,
                password: if password_stdin { Some(read_password()?) } else { None },
                full_name,
                roles: (!roles.is_empty()).then_some(roles),
                external_id: None,
                is_active: None,
                metadata: Map::new(),
            };
            output::one(json, &UserView::from(core.identity.create_user(&scope, new).await?))
        }
        Command::List { tenant, list } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let rows = admin::pages(list.limit, async |page| {
                core.identity.list_users(&scope, UserFilter::default(), &page).await
            });
            let rows: Vec<UserView> = rows.await?.into_iter().map(UserView::from).collect();
            output::rows(json, &rows, &["username", "email", "roles", "is_active", "id", "created_at"])
        }
        Command::Delete { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            core.identity.delete_user(&scope, id).await?;
            output::line(json, &format!("deleted user {id}"))
        }
    }
}

fn read_password() -> Result<String> {
    let mut text = String::new();
    // more than any password may have, so that a wrong file is not read whole
    std::io::stdin().take(4096).read_to_string(&mut text).context("cannot read the password")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
