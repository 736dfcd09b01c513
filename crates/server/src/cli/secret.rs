//! `loam secret`

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::Subcommand;
use loam_kernel::Scope;
use loam_platform::audit_logs::{self, Change};
use loam_platform::notices::announce;
use loam_platform::seal::{KeyFile, Resealed};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::admin::{self, TenantArg};
use super::output;
use crate::composition::{Core, MASTER_KEY, sealed};
use crate::config::Config;

/// Time until every running server has read a changed key file: they poll for notices three times a second.
const RELOAD_DELAY: Duration = Duration::from_secs(1);
/// Maximum number of passes for values that were sealed under an old key meanwhile.
const MAX_PASSES: usize = 5;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show the master keys with the number of values sealed under each.
    Status,
    /// Reseal all values under a new master key, while servers run. The old key can still open values until it is dropped.
    Rotate {
        /// Only add a key to the key file, without sealing with it yet: if several nodes share a database, copy the file to
        /// each of them, then rotate to that key.
        #[arg(long, conflicts_with_all = ["to", "resume", "only_node"])]
        prepare: bool,
        /// Seal under this key of the key file instead of a new one.
        #[arg(long, value_name = "KEY", conflicts_with = "resume")]
        to: Option<String>,
        /// Seal under the current first key: to complete an interrupted rotation, or with keys from `LOAM_MASTER_KEY`.
        #[arg(long)]
        resume: bool,
        /// On PostgreSQL: confirm that no other node uses this database, so that a new key needs no preparation.
        #[arg(long)]
        only_node: bool,
    },
    /// Remove a key from the key file. Refused while values are sealed under it. Store a copy with older backups.
    Drop {
        /// Name of the key, as shown by `secret status`; it may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        key: String,
    },
}

/// A key with the number of values sealed under it.
#[derive(Serialize)]
struct KeyUse {
    key: String,
    /// `seals`, `opens`, or `missing`.
    state: &'static str,
    values: u64,
    tables: BTreeMap<String, u64>,
}

/// The result of a rotation in one table.
#[derive(Serialize)]
struct ResealedTable {
    table: String,
    columns: String,
    resealed: u64,
    unopened: u64,
}

pub(super) async fn run(command: Command, config: &Config, json: bool) -> Result<()> {
    // the keys belong to the instance; changes are recorded in the default tenant's audit trail
    let home = TenantArg { tenant: None };
    let (core, scope) = admin::in_tenant(config, &home).await?;
    match command {
        Command::Status => {
            let keys = key_usage(&core, &scope).await?;
            output::rows(json, &keys, &["key", "state", "values", "tables"])
        }
        Command::Rotate { prepare: true, .. } => {
            let key = key_file(config)?.add(&core.clock, false)?;
            record_and_reload(&core, &scope, "prepare", json!({ "key": key })).await?;
            if json {
                return output::json(&json!({ "key": key }));
            }
            output::text(&format!(
                "added key {key} to {}; it opens and doesn't seal yet. Copy the file to every node (mode 600), then:\n  \
                 loam secret rotate --to {key}\n",
                config.data().join("master.key").display()
            ))
        }
        Command::Rotate { to, resume, only_node, .. } => {
            rotate(&core, &scope, config, (to, resume, only_node), json).await
        }
        Command::Drop { key } => drop_key(&core, &scope, config, &key, json).await,
    }
}

async fn rotate(
    core: &Core,
    scope: &Scope,
    config: &Config,
    (to, resume, only_node): (Option<String>, bool, bool),
    as_json: bool,
) -> Result<()> {
    if !resume {
        let file = key_file(config)?;
        match to {
            Some(key) => file.promote(&key)?,
            None => {
                ensure!(
                    config.database.url.is_none() || only_node,
                    "other nodes that use this database could not open what is sealed under a key that they don't have; run \
                     `loam secret rotate --prepare`, copy master.key to each, then rotate to that key; or, if there is no \
                     other node, `loam secret rotate --only-node`"
                );
                file.add(&core.clock, true)?;
            }
        }
        core.keyring.reload()?;
    }
    let current = core.keyring.key_ids().into_iter().next().unwrap_or_default();
    record_and_reload(core, scope, "rotate", json!({ "key": current })).await?;
    // from here on running servers seal under the new key
    tokio::time::sleep(RELOAD_DELAY).await;
    let mut turned: Vec<ResealedTable> = Vec::new();
    for pass in 0..MAX_PASSES {
        let mut changed = 0;
        for (i, table) in sealed().into_iter().enumerate() {
            let with = (&core.keyring, &core.clock);
            let (Resealed { values, unopened }, notices) =
                table.reseal(&core.db, scope, with, scope.tenant()).await?;
            for notice in notices {
                core.notices.publish(&notice);
            }
            changed += values;
            if pass == 0 {
                let columns = table.columns().join(", ");
                turned.push(ResealedTable { table: table.table(), columns, resealed: values, unopened });
            } else {
                turned[i].resealed += values;
                turned[i].unopened = unopened;
            }
        }
        if pass > 0 && changed == 0 {
            break;
        }
    }
    let counts: Vec<Value> = turned
        .iter()
        .map(|one| json!({ "table": one.table, "resealed": one.resealed, "unopened": one.unopened }))
        .collect();
    record_and_reload(core, scope, "reseal", json!({ "key": current, "tables": counts })).await?;
    if as_json {
        output::json(&json!({ "key": current, "tables": turned }))?;
    } else {
        output::rows(false, &turned, &["table", "columns", "resealed", "unopened"])?;
        output::line(
            false,
            &format!("everything is sealed under {current}; `loam secret status` shows the keys"),
        )?;
    }
    let unopened: u64 = turned.iter().map(|one| one.unopened).sum();
    if unopened > 0 {
        bail!("{unopened} values can't be opened with the available keys and are unchanged; see the log");
    }
    Ok(())
}

async fn drop_key(core: &Core, scope: &Scope, config: &Config, key: &str, as_json: bool) -> Result<()> {
    let file = key_file(config)?;
    let keys = core.keyring.key_ids();
    ensure!(keys.iter().any(|known| known == key), "there is no key `{key}` in the key file");
    ensure!(
        keys.first().is_none_or(|first| first != key),
        "`{key}` is the key that seals; run `loam secret rotate` first"
    );
    // servers that had not reloaded the key file yet
    reload_everywhere(core, scope).await?;
    refuse_used(core, scope, key).await?;
    let removed = file.remove(key)?;
    reload_everywhere(core, scope).await?;
    if let Err(used) = refuse_used(core, scope, key).await {
        file.restore(removed)?;
        reload_everywhere(core, scope).await?;
        return Err(used);
    }
    record_and_reload(core, scope, "drop", json!({ "key": key })).await?;
    if as_json {
        return output::json(&json!({ "key": key, "dropped": true }));
    }
    output::line(false, &format!("dropped key {key}; backups from before the rotation still need it"))
}

async fn refuse_used(core: &Core, scope: &Scope, key: &str) -> Result<()> {
    let used = key_usage(core, scope).await?.into_iter().find(|used| used.key == key && used.values > 0);
    let Some(used) = used else { return Ok(()) };
    let tables: Vec<String> =
        used.tables.iter().map(|(table, values)| format!("{table} ({values})")).collect();
    bail!(
        "{} values are still sealed under `{key}`, in {}; run `loam secret rotate --resume` first, and copy master.key to every \
         node",
        used.values,
        tables.join(", ")
    )
}

/// All keys that are available or in use, the sealing key first.
async fn key_usage(core: &Core, scope: &Scope) -> Result<Vec<KeyUse>> {
    let keys = core.keyring.key_ids();
    let mut key_usage: Vec<KeyUse> = Vec::new();
    for (i, key) in keys.into_iter().enumerate() {
        let state = if i == 0 { "seals" } else { "opens" };
        key_usage.push(KeyUse { key, state, values: 0, tables: BTreeMap::new() });
    }
    for table in sealed() {
        for (key, values) in table.count(&core.db, scope).await? {
            let place = key_usage.iter().position(|known| known.key == key).unwrap_or_else(|| {
                key_usage.push(KeyUse { key, state: "missing", values: 0, tables: BTreeMap::new() });
                key_usage.len() - 1
            });
            key_usage[place].values += values;
            *key_usage[place].tables.entry(table.table()).or_default() += values;
        }
    }
    Ok(key_usage)
}

/// Records a change of the keys in the default tenant's audit trail, and makes every server reload its key file.
async fn record_and_reload(core: &Core, scope: &Scope, action: &'static str, changes: Value) -> Result<()> {
    let tx = core.db.write(scope).await?;
    let change = Change { action, resource_type: MASTER_KEY, resource_id: MASTER_KEY, changes };
    audit_logs::record(&tx, &core.clock, change).await?;
    let notice = announce(&tx, &core.clock, MASTER_KEY, Uuid::nil(), None).await?;
    tx.commit().await?;
    core.notices.publish(&notice);
    Ok(())
}

/// Makes every server reload its key file, and waits until they have.
async fn reload_everywhere(core: &Core, scope: &Scope) -> Result<()> {
    let tx = core.db.write(scope).await?;
    let notice = announce(&tx, &core.clock, MASTER_KEY, Uuid::nil(), None).await?;
    tx.commit().await?;
    core.notices.publish(&notice);
    tokio::time::sleep(RELOAD_DELAY).await;
    Ok(())
}

fn key_file(config: &Config) -> Result<KeyFile> {
    ensure!(
        config.master_key.is_none(),
        "the keys are set by LOAM_MASTER_KEY or `master_key`, which only you can change: put the new key first, before a comma and \
         the old one, restart every server, then run `loam secret rotate --resume`; take the old one out when `loam secret \
         status` shows nothing under it"
    );
    Ok(KeyFile::new(&config.data().join("master.key")))
}
