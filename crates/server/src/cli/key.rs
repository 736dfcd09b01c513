//! `loam key`

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Subcommand;
use loam_identity::api_keys::routes::{ApiKeyCreated, ApiKeyView};
use loam_identity::api_keys::service::{ApiKeyCreate, ApiKeyFilter};
use loam_kernel::{ApiKeyId, ProjectId, UserId};

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

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
    /// Make the instance the creator of a key, so that the key no longer depends on its previous creator.
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

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, name, scopes, user, project, allowed_origins, expires_at } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let scopes = (!scopes.is_empty()).then_some(scopes);
            let allowed_origins = (!allowed_origins.is_empty()).then_some(allowed_origins);
            let new = ApiKeyCreate {
                name,
                scopes,
                user_id: user,
                project_id: project,
                allowed_origins,
                expires_at,
            };
            output::one(json, &ApiKeyCreated::from(core.identity.create_api_key(&scope, new).await?))
        }
        Command::List { tenant, list } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let filter = ApiKeyFilter::default();
            let rows = admin::pages(list.limit, async |page| {
                core.identity.list_api_keys(&scope, &filter, &page).await
            })
            .await?;
            let rows: Vec<ApiKeyView> = rows.into_iter().map(ApiKeyView::from).collect();
            output::rows(
                json,
                &rows,
                &["name", "prefix", "scopes", "made_by", "last_used_at", "expires_at", "revoked_at", "id"],
            )
        }
        Command::TakeOver { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            output::one(json, &ApiKeyView::from(core.identity.take_over_api_key(&scope, id).await?))
        }
        Command::Revoke { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            core.identity.revoke_api_key(&scope, id).await?;
            output::line(json, &format!("revoked key {id}"))
        }
    }
}
