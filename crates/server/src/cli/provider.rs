//! `loam provider`

use std::io::Read;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use loam_gateway::ai_providers::kinds::AiProviderKind;
use loam_gateway::ai_providers::routes::AiProviderView;
use loam_gateway::ai_providers::service::{AiProviderCreate, AiProviderFilter, AiProviderUpdate};
use loam_kernel::{AiProviderId, ExpectedVersion, PageQuery};
use serde_json::Map;

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::config::Config;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a provider.
    Create {
        #[command(flatten)]
        tenant: TenantArg,
        /// First half of `provider/model`.
        #[arg(long)]
        name: String,
        /// Wire format.
        #[arg(long, default_value = "openai")]
        kind: String,
        /// Display name.
        #[arg(long)]
        display_name: Option<String>,
        /// Configuration as JSON, such as {"base_url": "…", "api_key": "…"}; `-` reads it from standard input.
        #[arg(long, default_value = "{}")]
        config: String,
    },
    /// Change a provider, for example its key. The next call uses the change.
    Update {
        #[command(flatten)]
        tenant: TenantArg,
        /// Name of the provider.
        name: String,
        /// Fields of the configuration as JSON, such as {"api_key": "…"}; `-` reads them from standard input. Omitted fields
        /// stay as they are, null removes a field.
        #[arg(long)]
        config: Option<String>,
        /// Display name.
        #[arg(long)]
        display_name: Option<String>,
        /// Whether its models can be called.
        #[arg(long, value_name = "true|false")]
        active: Option<bool>,
    },
    /// List the kinds of provider; with --json, the schemas of their configurations too.
    Kinds,
    /// List providers, newest first.
    List {
        #[command(flatten)]
        tenant: TenantArg,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Test the connection to a provider.
    Test {
        #[command(flatten)]
        tenant: TenantArg,
        /// Provider ID.
        id: AiProviderId,
    },
    /// Delete a provider. Its calls stay in the ledger. While routes use it, it is deleted only with --cascade.
    Delete {
        #[command(flatten)]
        tenant: TenantArg,
        /// Provider ID.
        id: AiProviderId,
        /// Remove it from the routes that use it, and delete routes that have no other target.
        #[arg(long)]
        cascade: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, name, kind, display_name, config: settings } => {
            let settings = if settings == "-" { read_stdin()? } else { settings };
            // the text may contain a secret, so the error must not repeat it
            let settings = serde_json::from_str(&settings).context("--config is not JSON")?;
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let new = AiProviderCreate {
                name,
                kind,
                display_name,
                config: settings,
                is_active: None,
                metadata: Map::new(),
            };
            output::one(json, &AiProviderView::from(core.gateway.create_provider(&scope, new).await?))
        }
        Command::Update { tenant, name, config: settings, display_name, active } => {
            let settings = match settings.as_deref() {
                Some("-") => Some(read_stdin()?),
                _ => settings,
            };
            let settings = settings.map(|text| serde_json::from_str(&text)).transpose();
            let settings = settings.context("--config is not a JSON object")?;
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let filter = AiProviderFilter { name: Some(name.clone()), ..AiProviderFilter::default() };
            let page = PageQuery { limit: Some(1), cursor: None };
            let found = core.gateway.list_providers(&scope, filter, &page).await?.data.pop();
            let id = found.with_context(|| format!("there is no provider `{name}` in this tenant"))?.id;
            let new = AiProviderUpdate { display_name, config: settings, is_active: active, metadata: None };
            let row = core.gateway.update_provider(&scope, id, &ExpectedVersion::any(), new).await?;
            output::one(json, &AiProviderView::from(row))
        }
        Command::Kinds => output::rows(json, &AiProviderKind::all(), &["name", "display_name"]),
        Command::List { tenant, list } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let rows = admin::pages(list.limit, async |page| {
                core.gateway.list_providers(&scope, AiProviderFilter::default(), &page).await
            });
            let rows: Vec<AiProviderView> = rows.await?.into_iter().map(AiProviderView::from).collect();
            output::rows(json, &rows, &["name", "kind", "display_name", "is_active", "id", "created_at"])
        }
        Command::Test { tenant, id } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            let test = core.gateway.test_provider(&scope, id).await?;
            output::one(json, &test)?;
            test.error.map_or(Ok(()), |e| bail!("{e}"))
        }
        Command::Delete { tenant, id, cascade } => {
            let (core, scope) = admin::in_tenant(config, &tenant).await?;
            core.gateway.delete_provider(&scope, id, cascade).await?;
            output::line(json, &format!("deleted provider {id}"))
        }
    }
}

fn read_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().take(1 << 20).read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}
