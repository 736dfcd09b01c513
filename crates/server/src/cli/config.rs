//! `loam config`

use std::io::Read;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use loam_kernel::{ExpectedVersion, Scope};
use loam_platform::system_config::routes::{SystemConfigVersionView, SystemConfigView};
use loam_platform::system_config::{Change, Level};
use serde_json::Value;

use super::admin::{self, ListArgs, TenantArg};
use super::output;
use crate::composition::Core;
use crate::config::Config;

/// The level of the values.
#[derive(Args)]
pub(super) struct LevelArg {
    /// Slug of a tenant, for the tenant's own value [default: the instance].
    #[arg(long)]
    tenant: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the keys with their effective values and sources.
    List {
        #[command(flatten)]
        level: LevelArg,
        /// Only keys of this category.
        #[arg(long)]
        category: Option<String>,
    },
    /// Show a key with its schema.
    Get {
        #[command(flatten)]
        level: LevelArg,
        /// The key.
        key: String,
    },
    /// Set a value. All servers on this database apply it within a second.
    Set {
        #[command(flatten)]
        level: LevelArg,
        /// The key.
        key: String,
        /// The value as JSON; `-` reads it from standard input.
        value: String,
        /// Only change the given fields, and remove those that are null (RFC 7396).
        #[arg(long)]
        merge: bool,
    },
    /// Show the versions of a value, newest first.
    History {
        #[command(flatten)]
        level: LevelArg,
        /// The key.
        key: String,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Restore the value of an earlier version.
    Rollback {
        #[command(flatten)]
        level: LevelArg,
        /// The key.
        key: String,
        /// Number of the version.
        number: i64,
    },
    /// Unset a value: the value of the level below applies again.
    Unset {
        #[command(flatten)]
        level: LevelArg,
        /// The key.
        key: String,
    },
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    match command {
        Command::List { level, category } => {
            let (core, scope, level) = open(config, &level).await?;
            let shown = core.system_config.list(&scope, level, category.as_deref()).await?;
            let rows: Vec<SystemConfigView> = shown.into_iter().map(SystemConfigView::from).collect();
            output::rows(json, &rows, &["config_key", "config_value", "source", "version", "description"])
        }
        Command::Get { level, key } => {
            let (core, scope, level) = open(config, &level).await?;
            output::one(json, &SystemConfigView::from(core.system_config.get(&scope, level, &key).await?))
        }
        Command::Set { level, key, value, merge } => {
            let value = parse(&value)?;
            let change = if merge { Change::Update(Some(value), None) } else { Change::Set(value) };
            make(config, &level, &key, change, json).await
        }
        Command::History { level, key, list } => {
            let (core, scope, level) = open(config, &level).await?;
            let rows = admin::pages(list.limit, async |page| {
                core.system_config.versions(&scope, level, &key, &page).await
            });
            let rows: Vec<SystemConfigVersionView> =
                rows.await?.into_iter().map(SystemConfigVersionView::from).collect();
            output::rows(json, &rows, &["version", "action", "old_value", "new_value", "actor", "created_at"])
        }
        Command::Rollback { level, key, number } => {
            make(config, &level, &key, Change::Rollback(number), json).await
        }
        Command::Unset { level, key } => make(config, &level, &key, Change::Unset, json).await,
    }
}

fn parse(value: &str) -> Result<Value> {
    let mut text = value.to_owned();
    if value == "-" {
        text.clear();
        std::io::stdin().read_to_string(&mut text)?;
    }
    serde_json::from_str(&text).context("the value is not JSON: a string needs its own quotation marks")
}

async fn open(config: &Config, level: &LevelArg) -> Result<(Core, Scope, Level)> {
    let (tenant, level) = match &level.tenant {
        Some(slug) => (slug.clone(), Level::Tenant),
        // a change of the instance is recorded in the default tenant's audit trail
        None => ("default".to_owned(), Level::Global),
    };
    let (core, scope) = admin::in_tenant(config, &TenantArg { tenant }).await?;
    Ok((core, scope, level))
}

async fn make(config: &Config, level: &LevelArg, key: &str, change: Change, json: bool) -> Result<()> {
    let (core, scope, level) = open(config, level).await?;
    let shown = core.system_config.change(&scope, level, key, &ExpectedVersion::any(), change).await?;
    output::one(json, &SystemConfigView::from(shown))
}
