//! `loam provider`

use std::io::Read;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use loam_kernel::AiProviderId;
use serde_json::{Map, Value, json};

use super::admin::{ListArgs, TenantArg};
use super::api::{Backend, set_fields};
use super::output;

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

const PATH: &str = "/api/v1/ai_providers";

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::Create { tenant, name, kind, display_name, config } => {
            let config = if config == "-" { read_stdin()? } else { config };
            // the text may contain a secret, so the error must not repeat it
            let config: Value = serde_json::from_str(&config).context("--config is not JSON")?;
            let api = backend.api(&tenant).await?;
            let new = json!({ "name": name, "kind": kind, "display_name": display_name, "config": config });
            output::one(json, &api.post(PATH, set_fields(new)).await?)
        }
        Command::Update { tenant, name, config, display_name, active } => {
            let config = match config.as_deref() {
                Some("-") => Some(read_stdin()?),
                _ => config,
            };
            let config: Option<Map<String, Value>> = config
                .map(|text| serde_json::from_str(&text))
                .transpose()
                .context("--config is not a JSON object")?;
            let api = backend.api(&tenant).await?;
            let found = api.find(PATH, json!({ "name": name })).await?;
            let found = found.with_context(|| format!("there is no provider `{name}` in this tenant"))?;
            let id = found["id"].as_str().unwrap_or_default();
            let change = json!({ "display_name": display_name, "config": config, "is_active": active });
            output::one(json, &api.patch(&format!("{PATH}/{id}"), set_fields(change)).await?)
        }
        Command::Kinds => {
            let kinds = backend.built_in()?.all("/api/v1/ai_provider_kinds", json!({})).await?;
            output::rows(json, &kinds, &["name", "display_name"])
        }
        Command::List { tenant, list } => {
            let rows = backend.api(&tenant).await?.list(PATH, json!({}), list.limit).await?;
            output::rows(json, &rows, &["name", "kind", "display_name", "is_active", "id", "created_at"])
        }
        Command::Test { tenant, id } => {
            let test = backend.api(&tenant).await?.post(&format!("{PATH}/{id}/test"), None).await?;
            output::one(json, &test)?;
            test["error"].as_str().map_or(Ok(()), |error| bail!("{error}"))
        }
        Command::Delete { tenant, id, cascade } => {
            let api = backend.api(&tenant).await?;
            api.delete(&format!("{PATH}/{id}?cascade={cascade}")).await?;
            output::line(json, &format!("deleted provider {id}"))
        }
    }
}

fn read_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().take(1 << 20).read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}
