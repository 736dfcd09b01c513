//! `loam config`

use std::io::Read;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::admin::{ListArgs, TenantArg};
use super::api::{Api, Backend, segment};
use super::output;

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
        /// Only change the given fields (RFC 7396); null removes a field, or is the new value of one that may be null.
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

pub(super) async fn run(command: Command, backend: &Backend, json: bool) -> Result<()> {
    match command {
        Command::List { level, category } => {
            let (api, level) = open(backend, level).await?;
            let query = json!({ "level": level, "category": category });
            let rows = api.all("/api/v1/system_config", query).await?;
            output::rows(json, &rows, &["config_key", "config_value", "source", "version", "description"])
        }
        Command::Get { level, key } => {
            let (api, level) = open(backend, level).await?;
            output::one(json, &api.get(&path(&key, ""), json!({ "level": level })).await?)
        }
        Command::Set { level, key, value, merge } => {
            let change = json!({ "config_value": parse(&value)? });
            let (api, level) = open(backend, level).await?;
            let path = format!("{}?level={level}", path(&key, ""));
            output::one(
                json,
                &if merge { api.patch(&path, change).await? } else { api.put(&path, change).await? },
            )
        }
        Command::History { level, key, list } => {
            let (api, level) = open(backend, level).await?;
            let rows = api.list(&path(&key, "/versions"), json!({ "level": level }), list.limit).await?;
            output::rows(json, &rows, &["version", "action", "old_value", "new_value", "actor", "created_at"])
        }
        Command::Rollback { level, key, number } => {
            let (api, level) = open(backend, level).await?;
            let path = format!("{}?level={level}", path(&key, "/rollback"));
            output::one(json, &api.post(&path, json!({ "version": number })).await?)
        }
        Command::Unset { level, key } => {
            let (api, level) = open(backend, level).await?;
            api.delete(&format!("{}?level={level}", path(&key, ""))).await?;
            output::one(json, &api.get(&path(&key, ""), json!({ "level": level })).await?)
        }
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

fn path(key: &str, rest: &str) -> String {
    format!("/api/v1/system_config/{}{rest}", segment(key))
}

/// The API, and the level of the values.
async fn open(backend: &Backend, level: LevelArg) -> Result<(Api, &'static str)> {
    let name = if level.tenant.is_some() { "tenant" } else { "global" };
    Ok((backend.api(&TenantArg { tenant: level.tenant }).await?, name))
}
