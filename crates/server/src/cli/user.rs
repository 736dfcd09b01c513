//! `loam user`

use std::io::Read;

use anyhow::{Context, Result};
use clap::Subcommand;
use loam_identity::users::routes::{PasswordReset, UserView};
use loam_identity::users::service::{UserCreate, UserFilter, UserUpdate};
use loam_kernel::{ExpectedVersion, UserId};
use serde_json::Map;

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a user.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// Login name.
        #[arg(long)]
        username: String,
        /// E-mail address.
        #[arg(long)]
        email: String,
        /// Full name.
        #[arg(long)]
        full_name: Option<String>,
        /// The application's own id of the user, unique in the tenant.
        #[arg(long)]
        external_id: Option<String>,
        /// A role; can be repeated [default: user].
        #[arg(long = "role")]
        roles: Vec<String>,
        /// Read the password from standard input, so that it does not appear in the process list.
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
    /// Change a user's roles or active state.
    Update {
        #[command(flatten)]
        tenant: TenantArg,
        /// User ID.
        id: UserId,
        /// A role; can be repeated, and replaces the user's existing roles.
        #[arg(long = "role")]
        roles: Vec<String>,
        /// Whether the user and the user's keys are active.
        #[arg(long)]
        active: Option<bool>,
    },
    /// Reset a user's password. The new one is shown only once and must be changed at the next log-in.
    ResetPassword {
        #[command(flatten)]
        tenant: TenantArg,
        /// User ID.
        id: UserId,
    },
    /// Delete a user with all data about them. A running server removes everything but keys and login sessions, which end
    /// immediately.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// User ID.
        id: UserId,
    },
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, username, email, full_name, external_id, roles, password_stdin } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let new = UserCreate {
                username,
                email,
                password: if password_stdin { Some(read_password()?) } else { None },
                password_hash: None,
                full_name,
                roles: (!roles.is_empty()).then_some(roles),
                external_id,
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
        Command::Update { tenant, id, roles, active } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let roles = (!roles.is_empty()).then_some(roles);
            let change = UserUpdate { roles, is_active: active, ..UserUpdate::default() };
            let user = core.identity.update_user(&scope, id, &ExpectedVersion::any(), change).await?;
            output::one(json, &UserView::from(user))
        }
        Command::ResetPassword { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let password = core.identity.reset_password(&scope, id).await?;
            output::one(json, &PasswordReset::new(&password))
        }
        Command::Delete { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let erasure = core.identity.delete_user(&scope, id).await?;
            output::line(json, &format!("deleted user {id}; see `loam erasure show {}`", erasure.id))
        }
    }
}

fn read_password() -> Result<String> {
    let mut text = String::new();
    // longer than any valid password, so that a wrong file is not read completely
    std::io::stdin().take(4096).read_to_string(&mut text).context("cannot read the password")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
