//! `loam user`

use std::convert::Infallible;
use std::io::Read;
use std::str::FromStr;

use anyhow::{Context, Result};
use clap::Subcommand;
use loam_kernel::UserId;
use serde_json::json;

use super::admin::{ListArgs, TenantArg};
use super::api::{Api, Backend, set_fields};
use super::output;

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
        /// User ID or login name.
        user: UserArg,
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
        /// User ID or login name.
        user: UserArg,
    },
    /// Delete a user with all data about them. A running server removes everything but keys and login sessions, which end
    /// immediately.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// User ID or login name.
        user: UserArg,
    },
}

const PATH: &str = "/api/v1/users";

/// A user on the command line: by ID or by login name.
#[derive(Clone)]
pub(super) struct UserArg(String);

impl FromStr for UserArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl UserArg {
    /// The user's ID, which nothing needs to be read for if it is given.
    pub(super) async fn id(&self, api: &Api) -> Result<UserId> {
        let Self(text) = self;
        if let Ok(id) = text.parse() {
            return Ok(UserId(id));
        }
        let user = api.find(PATH, json!({ "username": text })).await?;
        let user = user.with_context(|| format!("there is no user `{text}`; see `loam user list`"))?;
        Ok(serde_json::from_value(user["id"].clone())?)
    }
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, username, email, full_name, external_id, roles, password_stdin } => {
            let api = backend.api(&tenant).await?;
            let new = set_fields(json!({
                "username": username,
                "email": email,
                "password": password_stdin.then(read_password).transpose()?,
                "full_name": full_name,
                "roles": (!roles.is_empty()).then_some(roles),
                "external_id": external_id,
            }));
            output::one(json, &api.post(PATH, new).await?)
        }
        Command::List { tenant, list } => {
            let rows = backend.api(&tenant).await?.list(PATH, json!({}), list.limit).await?;
            output::rows(json, &rows, &["username", "email", "roles", "is_active", "id", "created_at"])
        }
        Command::Update { tenant, user, roles, active } => {
            let api = backend.api(&tenant).await?;
            let id = user.id(&api).await?;
            let roles = (!roles.is_empty()).then_some(roles);
            let change = set_fields(json!({ "roles": roles, "is_active": active }));
            output::one(json, &api.patch(&format!("{PATH}/{id}"), change).await?)
        }
        Command::ResetPassword { tenant, user } => {
            let api = backend.api(&tenant).await?;
            let id = user.id(&api).await?;
            output::one(json, &api.post(&format!("{PATH}/{id}/password_reset"), None).await?)
        }
        Command::Delete { tenant, user } => {
            let api = backend.api(&tenant).await?;
            let id = user.id(&api).await?;
            let erasure = api.delete(&format!("{PATH}/{id}?erase=true")).await?;
            let erasure = erasure["id"].as_str().unwrap_or_default();
            output::line(json, &format!("deleted user {id}; see `loam erasure show {erasure}`"))
        }
    }
}

fn read_password() -> Result<String> {
    let mut text = String::new();
    // longer than any valid password, so that a wrong file is not read completely
    std::io::stdin().take(4096).read_to_string(&mut text).context("cannot read the password")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
