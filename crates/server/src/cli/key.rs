//! `loam key`

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Subcommand;
use loam_kernel::{ApiKeyId, ProjectId, UserId};
use serde_json::json;

use super::admin::{ListArgs, TenantArg};
use super::api::{Backend, set_fields};
use super::output;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a key. It is shown only once.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// Display name.
        #[arg(long)]
        name: String,
        /// A permission; can be repeated [default: gateway:call].
        #[arg(long = "scope")]
        scopes: Vec<String>,
        /// The user it belongs to.
        #[arg(long)]
        user: Option<UserId>,
        /// The project whose calls it makes.
        #[arg(long)]
        project: Option<ProjectId>,
        /// A web origin whose pages can use it, such as https://app.example.com; can be repeated.
        #[arg(long = "allowed-origin")]
        allowed_origins: Vec<String>,
        /// Expiry time, such as 2030-01-31T00:00:00Z.
        #[arg(long)]
        expires_at: Option<DateTime<Utc>>,
    },
    /// List keys, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Become the creator of a key, so that it no longer depends on its previous creator. With --server, it
    /// depends on the key used there; otherwise on none.
    TakeOver {
        #[command(flatten)]
        tenant: TenantArg,
        /// Key ID.
        id: ApiKeyId,
    },
    /// Revoke a key and all keys that were created with it. They are invalid within a second.
    Revoke {
        #[command(flatten)]
        tenant: TenantArg,
        /// Key ID.
        id: ApiKeyId,
    },
}

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, name, scopes, user, project, allowed_origins, expires_at } => {
            let api = backend.api(&tenant).await?;
            let new = set_fields(json!({
                "name": name,
                "scopes": (!scopes.is_empty()).then_some(scopes),
                "user_id": user,
                "project_id": project,
                "allowed_origins": (!allowed_origins.is_empty()).then_some(allowed_origins),
                "expires_at": expires_at,
            }));
            output::one(json, &api.post("/api/v1/api_keys", new).await?)
        }
        Command::List { tenant, list } => {
            let rows = backend.api(&tenant).await?.list("/api/v1/api_keys", json!({}), list.limit).await?;
            output::rows(
                json,
                &rows,
                &["name", "prefix", "scopes", "made_by", "last_used_at", "expires_at", "revoked_at", "id"],
            )
        }
        Command::TakeOver { tenant, id } => {
            let api = backend.api(&tenant).await?;
            output::one(json, &api.post(&format!("/api/v1/api_keys/{id}/take_over"), None).await?)
        }
        Command::Revoke { tenant, id } => {
            backend.api(&tenant).await?.delete(&format!("/api/v1/api_keys/{id}")).await?;
            output::line(json, &format!("revoked key {id}"))
        }
    }
}
